-- Reclaims deliveries whose lease has expired. Entries whose message is gone are acknowledged.
--
-- KEYS: 1 stream, 2 counter of reclaims
-- ARGV: 1 group, 2 consumer that reclaims, 3 milliseconds that a lease lasts, 4 maximum number of deliveries
-- Returns: for each delivery: entry, fields, how often it has been delivered, including this time
local stream, group = KEYS[1], ARGV[1]
local expired = redis.pcall('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', ARGV[4])
if expired.err then
  if string.find(expired.err, 'NOGROUP', 1, true) then
    return {}
  end
  return expired
end
if #expired == 0 then
  return {}
end
local claim, deliveries = {'XCLAIM', stream, group, ARGV[2], ARGV[3]}, {}
for _, pending in ipairs(expired) do
  claim[#claim + 1] = pending[1]
  deliveries[pending[1]] = pending[4] + 1
end
local taken = {}
-- Before Redis 7 a message that is gone is answered with nil, later not at all.
local claimed = redis.call(unpack(claim))
for n = 1, #expired do
  local entry = claimed[n]
  if entry then
    taken[#taken + 1] = {entry[1], entry[2], deliveries[entry[1]]}
    deliveries[entry[1]] = nil
  end
end
-- In the same step, so that a settlement that relies on an older count is noticed.
if #taken > 0 then
  redis.call('INCR', KEYS[2])
end
for entry in pairs(deliveries) do
  redis.call('XACK', stream, group, entry)
end
return taken
