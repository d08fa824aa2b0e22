-- Acknowledges and deletes the entries whose leases are still held, before their tasks run. Follows held.lua and ids.lua.
--
-- KEYS: 1 stream, 2 sorted set of noted ids
-- ARGV: 1 seconds that an id is remembered (0: forever), 2 group, 3 consumer, 4 lowest and 5 highest of the entries,
--       then for each entry: the entry, the message's id if it is noted (else empty)
-- Returns: for each entry 1 if its lease was held, else 0
local ttl, stream, group = ARGV[1], KEYS[1], ARGV[2]
local is_held = held_leases(stream, group, ARGV[3], ARGV[4], ARGV[5], (#ARGV - 5) / 2)
local answers, held = {}, {}
for n = 6, #ARGV, 2 do
  if is_held(ARGV[n]) then
    held[#held + 1] = ARGV[n]
    answers[#answers + 1] = 1
    -- The worker may be gone by the time the task has ended.
    if ARGV[n + 1] ~= '' then
      end_id(KEYS[2], ARGV[n + 1], ttl)
    end
  else
    answers[#answers + 1] = 0
  end
end
if #held > 0 then
  redis.call('XACK', stream, group, unpack(held))
  redis.call('XDEL', stream, unpack(held))
end
return answers
