-- Removes a page of a tenant's messages from the admitted stream, ready and leased ones. Follows slots.lua
-- and fair.lua.
--
-- KEYS: 1 admitted stream, 2 hash of the numbers of tenants' messages that are admitted
-- ARGV: 1 group, 2 tenant, 3 where to begin, 4 how many entries to look at, 5 prefix and 6 queue, see fair.lua
-- Returns: how many were removed, and the last entry that was looked at (empty: there are no more)
local page = redis.call('XRANGE', KEYS[1], ARGV[3], '+', 'COUNT', ARGV[4])
local removed, last = {}, ''
for _, entry in ipairs(page) do
  last = entry[1]
  local fields = entry[2]
  for n = 1, #fields, 2 do
    if fields[n] == 'tenant' and fields[n + 1] == ARGV[2] then
      removed[#removed + 1] = last
    end
  end
end
if #removed > 0 then
  -- pcall: there may be no group yet.
  redis.pcall('XACK', KEYS[1], ARGV[1], unpack(removed))
  redis.call('XDEL', KEYS[1], unpack(removed))
  end_slots(KEYS[2], ARGV[2], #removed)
  fair_queue(ARGV[5], ARGV[6], ARGV[1]).prime()
end
return {#removed, last}
