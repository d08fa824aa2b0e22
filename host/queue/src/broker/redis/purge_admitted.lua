-- Removes some of a tenant's messages from the admitted stream, ready and leased ones. Follows slots.lua and fair.lua.
--
-- KEYS: 1 admitted stream, 2 hash of the numbers of tenants' messages that are admitted
-- ARGV: 1 group, 2 tenant, 3 where to begin, 4 how many entries to look at, at most, 5 prefix and 6 queue, see fair.lua
-- Returns: how many were removed, and the last entry that was looked at (empty: there are no more)
local removed, last, looked, bytes, page = {}, '', 0, 0, 1
local from, most = ARGV[3], tonumber(ARGV[4])

local function look(entry)
  local fields, own = entry[2], false
  for n = 1, #fields, 2 do
    own = own or fields[n] == 'tenant' and fields[n + 1] == ARGV[2]
    bytes = bytes + #fields[n + 1]
  end
  if own then
    removed[#removed + 1] = entry[1]
  end
end

-- Entries are read whole, so few are read at first, and no more after a megabyte.
repeat
  local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', math.min(page, most - looked))
  for _, entry in ipairs(entries) do
    look(entry)
    last = entry[1]
  end
  from, looked = '(' .. last, looked + #entries
  if 8 * bytes < MOST_ADMITTED then
    page = 8 * page
  end
until #entries == 0 or looked >= most or bytes >= MOST_ADMITTED
if #removed > 0 then
  -- pcall: there may be no group yet.
  redis.pcall('XACK', KEYS[1], ARGV[1], unpack(removed))
  redis.call('XDEL', KEYS[1], unpack(removed))
  end_slots(KEYS[2], ARGV[2], #removed)
  fair_queue(ARGV[5], ARGV[6], ARGV[1]).prime()
end
return {#removed, last}
