-- Counts a tenant's messages in a queue.
--
-- KEYS: 1 waiting list, 2 sorted set of delayed messages, 3 stream of dead letters, 4 hash of the numbers of tenants' messages
--       that are admitted
-- ARGV: 1 tenant
-- Returns: ready and leased messages, those of them that are admitted, delayed ones, dead letters
local admitted = tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or '0')
return {redis.call('LLEN', KEYS[1]) + admitted, admitted, redis.call('ZCARD', KEYS[2]), redis.call('XLEN', KEYS[3])}
