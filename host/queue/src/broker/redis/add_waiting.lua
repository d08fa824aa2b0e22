-- Prepended to the scripts that add messages of a tenant, which wait to be admitted. add_stream.lua is for the default tenant, and
-- says what the functions do. Follows fair.lua.
--
-- KEYS: 1 the tenant's waiting list
-- ARGV: the last ones: prefix, queue and group, see fair.lua; tenant
local extra = 4
local prefix, queue, group, tenant = unpack(ARGV, #ARGV - 3)
local fair = fair_queue(prefix, queue, group)
local revision, _, max_queued, held = fair.settings(tenant)

local function refusal()
  if not revision then
    return {3}
  end
  return held and {4} or nil
end

local function most(limit)
  local both = tonumber(limit)
  if both and max_queued then
    return math.min(both, max_queued)
  end
  return both or max_queued
end

local function ready_count()
  return redis.call('LLEN', KEYS[1]) + tonumber(redis.call('HGET', fair.slots, tenant) or '0')
end

local function add_ready(id, data)
  fair.wait(tenant, id, data)
end

local function added(first)
  if first then
    fair.delay(tenant, first)
  end
  fair.join(tenant)
  fair.prime()
end

