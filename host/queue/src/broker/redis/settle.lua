-- Settles deliveries, where the leases are still held, each with its result. What has one queue and one
-- consumer is a section.
--
-- KEYS: for each section: stream, sorted set of delayed messages, stream of dead letters, counter of takeovers
-- ARGV: 1 group, 2 what keys of results start with, 3 seconds to keep results (0 for ever),
--       4 most dead letters (empty for no limit); then for each section
--         consumer, the counter of takeovers when its deliveries were read (empty where not known),
--         lowest and highest of the entries whose leases are looked for, their number,
--         channel for wake-ups, number N of deliveries that are complete with a result and no inbox,
--         number M of all others;
--         N times: entry, task id, result. They are the rule: what is the same for all is not
--         passed for each;
--         M times: entry, kind, state, task id, result, inbox that is told of the result
--         (state, result and inbox empty: none), and by kind
--           C complete     nothing
--           R retry        seconds since 1970, data
--           D dead-letter  data, time of failure, error, retries, task's name
--           L release      data
--         A kind in lower case is of an entry that was acknowledged before: no lease is looked for.
-- Returns: the places, from 0 over all sections, of the deliveries whose lease was lost (all others are
-- settled); the counter of takeovers of each section
local group, prefix, ttl, most_dead = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local call, states, results = redis.call, prefix .. ':state:', prefix .. ':result:'
local done, reply = prefix .. ':done:', prefix .. ':reply:'
local fields = {C = 0, R = 2, D = 5, L = 1}
-- Nobody waits most of the time: then it costs one question for the whole batch.
local waited = call('PUBSUB', 'NUMSUB', prefix .. ':waiting')[2] > 0
local lost, place, at = {}, 0, 5

local function put(key, value)
  if ttl == '0' then
    call('SET', key, value)
  else
    call('SETEX', key, ttl, value)
  end
end

local function put_result(task, result)
  put(results .. task, result)
  if waited then
    call('PUBLISH', done .. task, result)
  end
end

-- For N deliveries from `at` on that need nothing but a result. Where nobody has taken a lease over since
-- they were read, it ends only with its entry: then acknowledging them all at once says by their number
-- whether all were held, which is the rule. Returns the entries, or none and a function that says whether
-- the lease of one was held.
local function acknowledge(stream, N)
  local entries = {}
  for n = 1, N do
    entries[n] = ARGV[at + 3 * (n - 1)]
  end
  if call('XACK', stream, group, unpack(entries)) == N then
    return entries
  end
  -- What had been settled before has left the stream, too.
  return {}, function(entry) return call('XDEL', stream, entry) == 1 end
end

-- Without `is_held`, all N are and stand in `settled`.
local function complete(N, is_held, settled)
  for _ = 1, N do
    if is_held and not is_held(ARGV[at]) then
      lost[#lost + 1] = place
    else
      local task = ARGV[at + 1]
      put(states .. task, 'SUCCESS')
      put_result(task, ARGV[at + 2])
      if is_held then
        settled[#settled + 1] = ARGV[at]
      end
    end
    place, at = place + 1, at + 3
  end
end

local function dead_letter(dlq, entry, task, first)
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
end

-- Settles M deliveries of any kind. Returns when the first of the retries is due.
local function settle(stream, delayed, dlq, M, is_held, settled)
  local wake
  for _ = 1, M do
    local entry, kind, state, task, result, inbox = unpack(ARGV, at, at + 5)
    local what, first = string.upper(kind), at + 6
    local leased = what == kind
    if leased and not is_held(entry) then
      lost[#lost + 1] = place
    else
      if state ~= '' then
        put(states .. task, state)
      end
      if result ~= '' then
        put_result(task, result)
        if inbox ~= '' then
          call('PUBLISH', reply .. inbox, result)
        end
      end
      if what == 'R' then
        call('ZADD', delayed, ARGV[first], ARGV[first + 1])
        local due = tonumber(ARGV[first])
        if not wake or due < tonumber(wake) then
          wake = ARGV[first]
        end
      elseif what == 'D' then
        dead_letter(dlq, entry, task, first)
      elseif what == 'L' then
        call('XADD', stream, '*', 'data', ARGV[first], 'task_id', task)
      end
      if leased then
        settled[#settled + 1] = entry
      end
    end
    place, at = place + 1, first + fields[what]
  end
  return wake
end

local counters = {}
for n = 4, #KEYS, 4 do
  counters[#counters + 1] = KEYS[n]
end
local takeovers = call('MGET', unpack(counters))
for n = 1, #takeovers do
  local stream, delayed, dlq = unpack(KEYS, 4 * n - 3, 4 * n - 1)
  local consumer, since, low, high, leased, channel, N, M = unpack(ARGV, at, at + 7)
  at, N, M, leased, takeovers[n] = at + 8, tonumber(N), tonumber(M), tonumber(leased), takeovers[n] or '0'
  local sure = N > 0 and since == takeovers[n]
  local held = function() return false end
  local settled, is_held = {}, held
  if sure then
    settled, is_held = acknowledge(stream, N)
  end
  if leased > 0 and not (sure and leased == N) then
    held = held_leases(stream, group, consumer, low, high, leased)
  end
  if not sure then
    is_held = held
  end
  complete(N, is_held, settled)
  local wake = settle(stream, delayed, dlq, M, held, settled)
  if #settled > 0 then
    if not sure or M > 0 then
      call('XACK', stream, group, unpack(settled))
    end
    call('XDEL', stream, unpack(settled))
  end
  if wake then
    call('PUBLISH', channel, wake)
  end
end

for n = 1, #takeovers do
  takeovers[n] = tonumber(takeovers[n])
end
return {lost, takeovers}
