-- Adds to a canary's counts.
--
-- KEYS: 1 hash of the canary's counts
-- ARGV: 1 seconds to keep them, then for each count: field, how many more
-- Returns: for each count its new value, nil if nothing was ever counted
local fields = {}
for n = 2, #ARGV, 2 do
  fields[#fields + 1] = ARGV[n]
  if ARGV[n + 1] ~= '0' then
    redis.call('HINCRBY', KEYS[1], ARGV[n], ARGV[n + 1])
    redis.call('EXPIRE', KEYS[1], ARGV[1])
  end
end
return redis.call('HMGET', KEYS[1], unpack(fields))
