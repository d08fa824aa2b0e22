-- Acknowledges and deletes the entries whose leases are still held, before their tasks run.
--
-- KEYS: 1 stream
-- ARGV: 1 group, 2 consumer, 3 lowest and 4 highest of the entries, then the entries
-- Returns: for each entry 1 if its lease was held, else 0
local stream, group = KEYS[1], ARGV[1]
local is_held = held_leases(stream, group, ARGV[2], ARGV[3], ARGV[4], #ARGV - 4)
local answers, held = {}, {}
for n = 5, #ARGV do
  if is_held(ARGV[n]) then
    held[#held + 1] = ARGV[n]
    answers[n - 4] = 1
  else
    answers[n - 4] = 0
  end
end
if #held > 0 then
  redis.call('XACK', stream, group, unpack(held))
  redis.call('XDEL', stream, unpack(held))
end
return answers
