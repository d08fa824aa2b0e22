-- Removes elements from the head of a list.
--
-- KEYS: 1 list
-- ARGV: 1 how many at most
-- Returns: how many were removed
local count = math.min(redis.call('LLEN', KEYS[1]), tonumber(ARGV[1]))
redis.call('LTRIM', KEYS[1], count, -1)
return count
