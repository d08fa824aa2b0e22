-- Prepended to the scripts that announce what they have changed.
--
-- hint(channel, payload) publishes a hint. Whoever misses one finds out later, so a user who may not publish loses
-- nothing. The script then continues, because stopping there would leave its work half done.
-- `hint_refused` is 1 once a hint was refused, and 0 before that.
local hint_refused = 0
local function hint(channel, payload)
  if hint_refused == 0 and type(redis.pcall('PUBLISH', channel, payload)) == 'table' then
    hint_refused = 1
  end
end

