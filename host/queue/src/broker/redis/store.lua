-- Writes states and results, and tells those who wait. Not for Redis Cluster: it builds its keys itself.
--
-- KEYS: none
-- ARGV: 1 what the keys start with, 2 seconds to keep them (0 for ever),
--       then for each task: task id, state, result (empty where only the state changes),
--       inbox that is told of the result (empty for none)
-- Returns: nothing
local prefix, ttl = ARGV[1], ARGV[2]
local told = redis.call('PUBSUB', 'NUMSUB', prefix .. ':waiting')[2] > 0
for n = 3, #ARGV, 4 do
  local task, result, inbox = ARGV[n], ARGV[n + 2], ARGV[n + 3]
  if ttl == '0' then
    redis.call('SET', prefix .. ':state:' .. task, ARGV[n + 1])
    if result ~= '' then
      redis.call('SET', prefix .. ':result:' .. task, result)
    end
  else
    redis.call('SETEX', prefix .. ':state:' .. task, ttl, ARGV[n + 1])
    if result ~= '' then
      redis.call('SETEX', prefix .. ':result:' .. task, ttl, result)
    end
  end
  if result ~= '' then
    if inbox ~= '' then
      redis.call('PUBLISH', prefix .. ':reply:' .. inbox, result)
    end
    if told then
      redis.call('PUBLISH', prefix .. ':done:' .. task, result)
    end
  end
end
