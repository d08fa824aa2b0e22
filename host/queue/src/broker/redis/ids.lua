-- Prepended to the scripts that add messages whose ids are noted, or end them.
--
-- ids: sorted set of the noted ids of a queue. The score is LIVE while a message with this id is queued, delayed or
-- running; after that, it is the time until which the id is remembered, in seconds since 1970 by the server's clock.
local LIVE = '9007199254740991'

-- Notes the id of a message that is added.
local function note_id(ids, id)
  redis.call('ZADD', ids, LIVE, id)
  redis.call('PERSIST', ids)
end

-- Has the ids of a queue that nobody uses go with the last one that is remembered, unless there is one for ever.
local function let_ids_expire(ids)
  local last = redis.call('ZRANGE', ids, -1, -1, 'WITHSCORES')[2]
  if last and last ~= LIVE then
    redis.call('EXPIREAT', ids, math.ceil(tonumber(last)))
  end
end

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

