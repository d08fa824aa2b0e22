-- Acknowledges and deletes the entries whose leases are still held, before their tasks run. Follows held.lua, ids.lua
-- and slots.lua.
--
-- What was acknowledged last for a consumer is remembered for an hour, so that the same question has the same answer if the
-- first was lost. Its next question about the queue replaces it.
--
-- KEYS: 1 stream, 2 sorted set of noted ids, 3 the entries that were acknowledged last for the consumer,
--       4 hash of the numbers of tenants' messages that are admitted
-- ARGV: 1 seconds that an id is remembered (0: forever), 2 tenant (empty: the default one), 3 group, 4 consumer,
--       5 lowest and 6 highest of the entries,
--       then for each entry: the entry, the message's id if it is noted (else empty)
-- Returns: for each entry 1 if its lease was held now or when the consumer last asked, else 0
local ttl, stream, group = ARGV[1], KEYS[1], ARGV[3]
local is_held = held_leases(stream, group, ARGV[4], ARGV[5], ARGV[6], (#ARGV - 6) / 2)
local answers, held, acknowledged, last = {}, {}, {}, nil

-- Whether an entry was acknowledged by the consumer's last question.
local function was_held(entry)
  if not last then
    last = {}
    for one in string.gmatch(redis.call('GET', KEYS[3]) or '', '%S+') do
      last[one] = true
    end
  end
  return last[entry]
end

for n = 7, #ARGV, 2 do
  if is_held(ARGV[n]) then
    held[#held + 1] = ARGV[n]
    answers[#answers + 1] = 1
    -- The worker may be gone by the time the task has ended.
    if ARGV[n + 1] ~= '' then
      end_id(KEYS[2], ARGV[n + 1], ttl)
    end
  elseif was_held(ARGV[n]) then
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = 0
  end
  if answers[#answers] == 1 then
    acknowledged[#acknowledged + 1] = ARGV[n]
  end
end
if #held > 0 then
  redis.call('XACK', stream, group, unpack(held))
  redis.call('XDEL', stream, unpack(held))
  if ARGV[2] ~= '' then
    end_slots(KEYS[4], ARGV[2], #held)
  end
  redis.call('SET', KEYS[3], table.concat(acknowledged, ' '), 'EX', 3600)
end
return answers
