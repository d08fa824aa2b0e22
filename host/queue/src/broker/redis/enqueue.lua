-- Adds messages to a queue: all or none, except those that are already there. Follows hint.lua, due.lua, ids.lua, and
-- add_stream.lua or add_waiting.lua.
--
-- KEYS: 1 stream or waiting list, 2 sorted set of delayed messages, 3 sorted set of noted ids
-- ARGV: 1 maximum number of messages, ready, leased and delayed ones (empty: no limit); 2 channel for wake-ups;
--       3 what to do if a message with a noted id is there: return (it is left out), reject or run (both are added);
--       4 now, in seconds since 1970 (empty: the server's time);
--       then for each message:
--         1 id
--         2 empty: the id is not noted; N: it is; E: it is, and there is a result for it
--         3 when it is due: empty for now, otherwise see due.lua
--         4 data
-- Returns: {0, whether the hint was refused, then the positions (from 0) of messages that were already there}, or, if
--          nothing was added:
--          {1, number of messages in the queue, limit} if there is no room for all,
--          {2, position of the first message that is already there, number of such messages}
--          {3} if the queue does not have the tenant's settings
--          {4} if the tenant is suspended
local delayed, ids = KEYS[2], KEYS[3]
local limit, channel, on_duplicate = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = tonumber(ARGV[4]) or time[1] + time[2] / 1000000

-- The positions of the arguments of the messages to add; the positions of messages that are already there.
local to_add, there, given, forgotten = {}, {}, {}, false

local function is_there(id, mark)
  if given[id] or mark == 'E' then
    return true
  end
  if not forgotten then
    forget_ids(ids, time[1], 1000)
    forgotten = true
  end
  local score = redis.call('ZSCORE', ids, id)
  return score and tonumber(score) > tonumber(time[1])
end

local refused = refusal()
if refused then
  return refused
end
for n = 5, #ARGV - extra, 4 do
  local id, mark = ARGV[n], ARGV[n + 1]
  if mark ~= '' and on_duplicate ~= 'run' and is_there(id, mark) then
    there[#there + 1] = (n - 5) / 4
  else
    to_add[#to_add + 1] = n
  end
  if mark ~= '' then
    given[id] = true
  end
end
if on_duplicate == 'reject' and #there > 0 then
  return {2, there[1], #there}
end
limit = most(limit)
if limit and #to_add > 0 then
  local length = ready_count() + redis.call('ZCARD', delayed)
  if length + #to_add > limit then
    return {1, length, limit}
  end
end

local late, first = {}, nil
for _, n in ipairs(to_add) do
  local id, mark, due, data = unpack(ARGV, n, n + 3)
  if due ~= '' then
    due = due_time(due)
  end
  if due == '' or tonumber(due) <= now then
    add_ready(id, data)
  else
    late[#late + 1] = due
    late[#late + 1] = data
    if not first or tonumber(due) < tonumber(first) then
      first = due
    end
  end
  if mark ~= '' then
    note_id(ids, id)
  end
end
-- Lua can pass on at most a few thousand arguments.
for n = 1, #late, 2000 do
  redis.call('ZADD', delayed, unpack(late, n, math.min(n + 1999, #late)))
end
added(first)
if first then
  hint(channel, first)
end
table.insert(there, 1, hint_refused)
table.insert(there, 1, 0)
return there
