-- Prepended to the scripts that tell others of what they have changed.
--
-- hint(channel, payload) publishes a hint. Whoever misses one finds out later, so a user who may not publish loses
-- nothing: the script goes on, because one that ended there would have done half of its work.
-- `hint_refused` is 1 once a hint was refused, before that 0.
local hint_refused = 0
local function hint(channel, payload)
  if hint_refused == 0 and type(redis.pcall('PUBLISH', channel, payload)) == 'table' then
    hint_refused = 1
  end
end

