-- Prepended to the scripts that end leases of tenants' messages.
--
-- end_slots(slots, tenant, count) lowers the number of a tenant's messages that are admitted and have not ended.
local function end_slots(slots, tenant, count)
  if count > 0 and redis.call('HINCRBY', slots, tenant, -count) <= 0 then
    redis.call('HDEL', slots, tenant)
  end
end

