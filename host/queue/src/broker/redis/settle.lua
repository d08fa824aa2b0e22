-- Settles deliveries whose leases are still held, each with its result. This is the last part of the
-- script: held.lua, hint.lua, results.lua, due.lua, ids.lua, slots.lua and the kinds of settlement in settle/ come before it.
--
-- A section holds the deliveries of one queue, one tenant and one consumer.
--
-- KEYS: for each section: stream, sorted set of delayed messages, stream of dead letters,
--       counter of reclaims;
--       then for each delivery: the keys of its state and of its result, where it has a state; the hash that names
--       dead letters, for a dead letter; and the sorted set of noted ids, if its id is noted and it ends;
--       last, the key of a result that was written ahead
-- ARGV: 1 group, 2 maximum number of dead letters (empty: no limit), 3 number of sections,
--       4 to 7 as result_writer takes them, see results.lua; 8 whether a result was written ahead (empty: none).
--       Then there is one delivery, in the long form, whose result it is; then for each section
--         1 consumer
--         2 the counter of reclaims before the deliveries were read (empty: not known)
--         3 and 4 the lowest and the highest entry with a lease, 5 the number of entries with a lease
--         6 channel that tells of retries
--         7 number of deliveries in the short form, 8 number of deliveries in the long form
--         9 tenant (empty: the default one); for others 10 sorted set of the tenants that have delayed messages, 11 hash of
--           the numbers of tenants' messages that are admitted
--         short form: entry, result. See settle/complete.lua
--         long form: entry, kind, state (empty: none), result and inbox (see results.lua), then the
--           arguments of the kind. Kinds: C complete, R retry, D dead letter, L release; in lower case
--           where the entry was acknowledged before the task ran: then it has no lease. After
--           the kind an n if the message's id is noted and it ends: then the id is the last argument
-- Returns: the positions, from 0 over all sections, of the deliveries whose lease was lost (nothing was
--          changed for these); the counter of reclaims of each section; whether a hint was
--          refused; whether the result that was written ahead is gone: then nothing was changed
local keys, arguments = KEYS, ARGV
local group, sections = arguments[1], tonumber(arguments[3])
local write, place = result_writer(4)
local ahead = arguments[8] ~= '' and keys[#keys]
-- By kind: what is done, and the number of its arguments.
local apply = {C = complete, R = retry, D = dead_letter, L = release}
local count_of = {C = 0, R = 2, D = 6, L = 2}
-- The next argument, the next key of a delivery, the position of the next delivery.
local at, key, position = 9, 4 * sections + 1, 0
local lost = {}

-- Settles the deliveries of a section in the short form. All leases are held if `is_held` is nil.
local function settle_short(settled, count, is_held)
  for _ = 1, count do
    local entry = arguments[at]
    if is_held and not is_held(entry) then
      lost[#lost + 1] = position
    else
      write(key, 'SUCCESS', arguments[at + 1], '')
      settled[#settled + 1] = entry
    end
    at, key, position = at + 2, key + 2, position + 1
  end
end

-- Settles the deliveries of a section in the long form.
local function settle_long(section, count, is_held)
  for _ = 1, count do
    local entry, letter, state, result, inbox = unpack(arguments, at, at + 4)
    local noted = #letter > 1
    letter = string.sub(letter, 1, 1)
    local kind = string.upper(letter)
    local leased = kind == letter
    local extra = state ~= '' and key + 2 or key
    local ids = kind == 'D' and extra + 1 or extra
    local last = at + 5 + count_of[kind]
    if leased and not is_held(entry) then
      lost[#lost + 1] = position
    else
      if ahead then
        place(key, state, ahead)
      elseif state ~= '' then
        write(key, state, result, inbox)
      end
      apply[kind](section, at + 5, entry, keys[extra])
      if noted then
        end_id(keys[ids], arguments[last], arguments[4])
        forget_ids(keys[ids], redis.call('TIME')[1], 2)
      end
      if leased then
        section.settled[#section.settled + 1] = entry
      end
    end
    key, at, position = noted and ids + 1 or ids, noted and last + 1 or last, position + 1
  end
end

-- Settles a section; `reclaims` is the queue's counter of reclaims as it is now.
local function settle(section, reclaims)
  local consumer, known, lowest, highest, leased, channel, short, long = unpack(arguments, at, at + 7)
  at, leased, short, long = at + 8, tonumber(leased), tonumber(short), tonumber(long)
  section.tenant, at = arguments[at], at + 1
  if section.tenant ~= '' then
    section.due, section.slots, at = arguments[at], arguments[at + 1], at + 2
  end
  -- Without a reclaim in between, the short form needs no check of each lease.
  local unchanged = short > 0 and known == reclaims
  local short_is_held, is_held = nil, function() return false end
  if unchanged then
    short_is_held = acknowledge_all(section, at, short)
  end
  if leased > 0 and not (unchanged and leased == short) then
    is_held = held_leases(section.stream, group, consumer, lowest, highest, leased)
  end
  if not unchanged then
    short_is_held = is_held
  end
  settle_short(section.settled, short, short_is_held)
  settle_long(section, long, is_held)
  if #section.settled > 0 then
    if not unchanged or long > 0 then
      redis.call('XACK', section.stream, group, unpack(section.settled))
    end
    redis.call('XDEL', section.stream, unpack(section.settled))
  end
  if section.tenant ~= '' then
    end_slots(section.slots, section.tenant, #section.settled - section.released)
    if section.wake then
      redis.call('ZADD', section.due, 'LT', section.wake, section.tenant)
    end
  end
  if section.wake then
    hint(channel, section.wake)
  end
end

if ahead and redis.call('EXISTS', ahead) == 0 then
  return {{}, {}, 0, 1}
end
local counters = {}
for n = 1, sections do
  counters[n] = keys[4 * n]
end
local reclaims = redis.call('MGET', unpack(counters))
for n = 1, sections do
  local stream, delayed, dead = unpack(keys, 4 * n - 3, 4 * n - 1)
  local section = {stream = stream, delayed = delayed, dead = dead, group = group, settled = {}, released = 0}
  settle(section, reclaims[n] or '0')
  reclaims[n] = tonumber(reclaims[n] or '0')
end
if ahead and #lost > 0 then
  -- pcall: without the right to remove it, it expires.
  redis.pcall('UNLINK', ahead)
end
return {lost, reclaims, hint_refused, 0}
