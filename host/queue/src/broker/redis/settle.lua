-- Settles a batch of deliveries of one consumer, where the leases are still held, each with its result.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages, 3 stream of dead letters
-- ARGV: 1 group, 2 consumer, 3 lowest and 4 highest of the entries whose leases are looked for,
--       5 their number, 6 what keys of results start with, 7 seconds to keep results (0 for ever),
--       8 most dead letters (empty for no limit), 9 channel for wake-ups;
--       then for each delivery: entry, kind, task id, state, result (both empty: none), and by kind
--         C complete     nothing
--         R retry        seconds since 1970, data
--         D dead-letter  data, time of failure, error, retries, task's name
--         L release      data
--       A kind in lower case is of an entry that was acknowledged before: no lease is looked for.
-- Returns: for each delivery 1 where it was settled, 0 where the lease was lost
local stream, delayed, dlq = KEYS[1], KEYS[2], KEYS[3]
local group, prefix, ttl, most_dead = ARGV[1], ARGV[6], ARGV[7], ARGV[8]
local fields = {C = 0, R = 2, D = 5, L = 1}
local is_held = function() return false end
if ARGV[5] ~= '0' then
  is_held = held_leases(stream, group, ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]))
end

local call, states, results = redis.call, prefix .. ':state:', prefix .. ':result:'
local function store(task, state, result)
  if ttl == '0' then
    call('SET', states .. task, state)
    if result ~= '' then
      call('SET', results .. task, result)
    end
  else
    call('SETEX', states .. task, ttl, state)
    if result ~= '' then
      call('SETEX', results .. task, ttl, result)
    end
  end
end

local answers, settled, ended, wake = {}, {}, {}, nil
local n = 10
while n <= #ARGV do
  local entry, kind, task = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local what = string.upper(kind)
  local leased = what == kind
  local applies = not leased or is_held(entry)
  answers[#answers + 1] = applies and 1 or 0
  if applies then
    local state, result = ARGV[n + 3], ARGV[n + 4]
    -- The result is written before the message goes: a crash between repeats, never loses.
    if state ~= '' then
      store(task, state, result)
      if result ~= '' then
        ended[#ended + 1] = n
      end
    end
    local first = n + 5
    if what == 'R' then
      redis.call('ZADD', delayed, ARGV[first], ARGV[first + 1])
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
      redis.call(unpack(add))
    elseif what == 'L' then
      redis.call('XADD', stream, '*', 'data', ARGV[first], 'task_id', task)
    end
    if leased then
      settled[#settled + 1] = entry
    end
  end
  n = n + 5 + fields[what]
end

if #settled > 0 then
  redis.call('XACK', stream, group, unpack(settled))
  redis.call('XDEL', stream, unpack(settled))
end
if wake then
  redis.call('PUBLISH', ARGV[9], wake)
end
-- Nobody waits most of the time: then it costs one question for the whole batch.
if #ended > 0 and redis.call('PUBSUB', 'NUMSUB', prefix .. ':waiting')[2] > 0 then
  for _, at in ipairs(ended) do
    redis.call('PUBLISH', prefix .. ':done:' .. ARGV[at + 2], ARGV[at + 4])
  end
end
return answers
