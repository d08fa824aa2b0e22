-- Notes that queues are in use.
--
-- KEYS: 1 sorted set of the names of all queues, by the time they were noted
-- ARGV: names
-- Returns: nothing
local now = redis.call('TIME')[1]
for n = 1, #ARGV do
  redis.call('ZADD', KEYS[1], now, ARGV[n])
end
