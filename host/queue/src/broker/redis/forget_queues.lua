-- Removes the names of queues without keys from the set, unless they were noted recently: then a message may be on its
-- way whose producer does not note the name again.
--
-- KEYS: 1 sorted set of the names of all queues, by the time they were noted
-- ARGV: 1 seconds that count as recent, then the names
-- Returns: nothing
local before = redis.call('TIME')[1] - ARGV[1]
for n = 2, #ARGV do
  local noted = redis.call('ZSCORE', KEYS[1], ARGV[n])
  if noted and tonumber(noted) < before then
    redis.call('ZREM', KEYS[1], ARGV[n])
  end
end
