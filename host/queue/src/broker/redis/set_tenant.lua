-- Applies a tenant's settings to a queue, unless it has newer ones. Follows fair.lua.
--
-- KEYS: 1 hash of the tenants' settings in the queue
-- ARGV: 1 prefix and 2 queue, see fair.lua; 3 group; 4 tenant; 5 settings, see fair.lua (empty: the tenant is removed)
-- Returns: nothing
local fair, tenant, given = fair_queue(ARGV[1], ARGV[2], ARGV[3]), ARGV[4], ARGV[5]
if given == '' then
  fair.leave(tenant)
  redis.call('HDEL', KEYS[1], tenant)
  return
end
local revision = fair.settings(tenant)
if revision and revision >= tonumber(string.match(given, '^%d+')) then
  return
end
redis.call('HSET', KEYS[1], tenant, given)
local _, _, _, held = fair.settings(tenant)
if held then
  fair.leave(tenant)
else
  fair.join(tenant)
  fair.prime()
end
