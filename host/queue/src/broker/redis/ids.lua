-- Prepended to the scripts that add messages whose ids are noted, or end them.
--
-- ids: sorted set of the noted ids of a queue. The score is LIVE while a message with this id is queued, delayed or
-- running; after that, it is the time until which the id is remembered, in seconds since 1970 by the server's clock.
local LIVE = '9007199254740991'

-- Notes that the message with an id has ended. The id is remembered for `ttl` seconds (0: forever), like its result.
local function end_id(ids, id, ttl)
  if ttl ~= '0' then
    redis.call('ZADD', ids, 'XX', redis.call('TIME')[1] + ttl, id)
  end
end

-- Forgets up to this many ids whose time is over.
local function forget_ids(ids, now, most)
  local over = redis.call('ZRANGEBYSCORE', ids, '-inf', now, 'LIMIT', 0, most)
  if #over > 0 then
    redis.call('ZREM', ids, unpack(over))
  end
end

