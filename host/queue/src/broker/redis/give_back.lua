-- Gives back entries whose leases are still held: the leases end at once, and the delivery is not counted.
--
-- KEYS: 1 stream
-- ARGV: 1 group, 2 consumer, 3 lowest and 4 highest of the entries, 5 milliseconds that a lease lasts, then the
--       entries
-- Returns: nothing
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local is_held = held_leases(stream, group, consumer, ARGV[3], ARGV[4], #ARGV - 5)
local claim = {'XCLAIM', stream, group, consumer, 0}
for n = 6, #ARGV do
  if is_held(ARGV[n]) then
    claim[#claim + 1] = ARGV[n]
  end
end
if #claim > 5 then
  for _, word in ipairs({'IDLE', ARGV[5], 'RETRYCOUNT', 0, 'JUSTID'}) do
    claim[#claim + 1] = word
  end
  redis.call(unpack(claim))
end
