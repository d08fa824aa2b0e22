-- Settles a batch of deliveries of one consumer, where the leases are still held, each with its result.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages, 3 stream of dead letters
-- ARGV: 1 group, 2 consumer, 3 lowest and 4 highest of the entries whose leases are looked for,
--       5 their number, 6 what keys of results start with, 7 seconds to keep results (0 for ever),
--       8 most dead letters (empty for no limit), 9 channel for wake-ups;
--       10 number N of the deliveries, the first ones, that are complete with a result and no inbox,
--       then N times: entry, task id, result. They are the rule: what is the same for all is not
--       passed for each.
--       Then for each further delivery: entry, kind, state, task id, result, inbox that is told
--       of the result (state, result and inbox empty: none), and by kind
--         C complete     nothing
--         R retry        seconds since 1970, data
--         D dead-letter  data, time of failure, error, retries, task's name
--         L release      data
--       A kind in lower case is of an entry that was acknowledged before: no lease is looked for.
-- Returns: the places, from 0, of the deliveries whose lease was lost; all others are settled
local stream, delayed, dlq = KEYS[1], KEYS[2], KEYS[3]
local group, prefix, ttl, most_dead = ARGV[1], ARGV[6], ARGV[7], ARGV[8]
local fields = {C = 0, R = 2, D = 5, L = 1}
local is_held = function() return false end
if ARGV[5] ~= '0' then
  is_held = held_leases(stream, group, ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
end

local call, states, results = redis.call, prefix .. ':state:', prefix .. ':result:'
local function put(key, value)
  if ttl == '0' then
    call('SET', key, value)
  else
    call('SETEX', key, ttl, value)
  end
end

-- `ended` has the places of the task ids that a result follows, `replies` of inboxes that one precedes.
local lost, settled, ended, replies, wake = {}, {}, {}, {}, nil
local place, n = 0, 11 + 3 * tonumber(ARGV[10])
-- A result is written before its message goes: a crash between repeats, never loses.
for at = 12, n - 1, 3 do
  local entry = ARGV[at - 1]
  if is_held(entry) then
    local task = ARGV[at]
    put(states .. task, 'SUCCESS')
    put(results .. task, ARGV[at + 1])
    settled[#settled + 1] = entry
    ended[#ended + 1] = at
  else
    lost[#lost + 1] = place
  end
  place = place + 1
end
while n <= #ARGV do
  local entry, kind, state, task, result = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], ARGV[n + 4]
  local what = string.upper(kind)
  local leased = what == kind
  if leased and not is_held(entry) then
    lost[#lost + 1] = place
  else
    if state ~= '' then
      put(states .. task, state)
    end
    if result ~= '' then
      put(results .. task, result)
      ended[#ended + 1] = n + 3
      if ARGV[n + 5] ~= '' then
        replies[#replies + 1] = n + 5
      end
    end
    local first = n + 6
    if what == 'R' then
      call('ZADD', delayed, ARGV[first], ARGV[first + 1])
      local due = tonumber(ARGV[first])
      if not wake or due < tonumber(wake) then
        wake = ARGV[first]
      end
    elseif what == 'D' then
      local add = {'XADD', dlq}
      if most_dead ~= '' then
        add = {'XADD', dlq, 'MAXLEN', '=', most_dead}
      end
      for _, argument in ipairs({'*', 'data', ARGV[first], 'failed_at', ARGV[first + 1],
          'error', ARGV[first + 2], 'retry_count', ARGV[first + 3], 'original_stream_id', entry,
          'task_id', task, 'task_name', ARGV[first + 4]}) do
        add[#add + 1] = argument
      end
      call(unpack(add))
    elseif what == 'L' then
      call('XADD', stream, '*', 'data', ARGV[first], 'task_id', task)
    end
    if leased then
      settled[#settled + 1] = entry
    end
  end
  place, n = place + 1, n + 6 + fields[what]
end

if #settled > 0 then
  call('XACK', stream, group, unpack(settled))
  call('XDEL', stream, unpack(settled))
end
if wake then
  call('PUBLISH', ARGV[9], wake)
end
for _, at in ipairs(replies) do
  call('PUBLISH', prefix .. ':reply:' .. ARGV[at], ARGV[at - 1])
end
-- Nobody waits most of the time: then it costs one question for the whole batch.
if #ended > 0 and call('PUBSUB', 'NUMSUB', prefix .. ':waiting')[2] > 0 then
  for _, at in ipairs(ended) do
    call('PUBLISH', prefix .. ':done:' .. ARGV[at], ARGV[at + 1])
  end
end
return lost
