-- Restarts the leases that are still held.
--
-- KEYS: 1 stream
-- ARGV: 1 group, 2 consumer, 3 lowest and 4 highest of the entries, then the entries
-- Returns: for each entry 1 if its lease was held, else 0
local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]
local is_held = held_leases(stream, group, consumer, ARGV[3], ARGV[4], #ARGV - 4)
local held = {}
for n = 5, #ARGV do
  if is_held(ARGV[n]) then
    held[#held + 1] = ARGV[n]
  end
end
local extended = {}
if #held > 0 then
  -- JUSTID leaves the delivery count as it is. Entries that were deleted are not in the answer.
  local claim = {'XCLAIM', stream, group, consumer, 0}
  for n = 1, #held do
    claim[5 + n] = held[n]
  end
  claim[#claim + 1] = 'JUSTID'
  for _, entry in ipairs(redis.call(unpack(claim))) do
    extended[entry] = true
  end
end
local answers = {}
for n = 5, #ARGV do
  answers[n - 4] = extended[ARGV[n]] and 1 or 0
end
return answers
