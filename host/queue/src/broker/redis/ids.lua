-- Prepended to the scripts that add messages whose ids are noted, or end them.
--
-- ids: sorted set of the noted ids of a queue. The score is LIVE while a message of this id is queued, delayed or runs, and
-- then the time, in seconds since 1970 by the server's clock, until which the id is remembered.
local LIVE = '9007199254740991'

-- Notes that the message of an id has ended. It is remembered for `ttl` seconds (0: for ever), as its result is.
local function end_id(ids, id, ttl)
  if ttl ~= '0' then
    redis.call('ZADD', ids, 'XX', redis.call('TIME')[1] + ttl, id)
  end
end

-- Forgets ids whose time is over, up to this many.
local function forget_ids(ids, now, most)
  local over = redis.call('ZRANGEBYSCORE', ids, '-inf', now, 'LIMIT', 0, most)
  if #over > 0 then
    redis.call('ZREM', ids, unpack(over))
  end
end

