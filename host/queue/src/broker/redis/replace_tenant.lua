-- Stores a tenant's record if it replaces the stored one.
--
-- KEYS: 1 hash of tenants' records
-- ARGV: 1 tenant, 2 the revision that it replaces (0: there is none), 3 record
-- Returns: 1 if it was stored, otherwise 0
local stored = redis.call('HGET', KEYS[1], ARGV[1])
local readable, record = pcall(cjson.decode, stored or 'null')
-- One that can't be read may be replaced by a new one.
local revision = readable and type(record) == 'table' and record.revision or 0
if revision ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
