-- Moves due messages to the stream, in the order of their due times, for each of some queues.
--
-- KEYS: for each queue: stream, sorted set of delayed messages
-- ARGV: 1 now, in seconds since 1970 (empty: the server's time); 2 maximum number of messages; 3 maximum message size
-- Returns: the number of messages moved, when the next one is due (empty: there is none), and now
local most = tonumber(ARGV[2])
local now = ARGV[1]
if now == '' then
  local time = redis.call('TIME')
  now = string.format('%.6f', time[1] + time[2] / 1000000)
end

-- The id is the first field in what Chicory and Chicory for Python write; anything else is parsed.
-- Invalid JSON is moved too, and so is what is too large: a worker dead-letters it as unreadable.
local function task_id(data)
  local id = string.match(data, '^{"id": ?"([%w_.:-]+)"')
  if id then
    return id
  end
  if #data > tonumber(ARGV[3]) then
    return ''
  end
  local readable, message = pcall(cjson.decode, data)
  if readable and type(message) == 'table' and type(message.id) == 'string' then
    return message.id
  end
  return ''
end

local moved, following = 0, ''
for n = 1, #KEYS, 2 do
  local stream, delayed = KEYS[n], KEYS[n + 1]
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  if first and tonumber(first) <= tonumber(now) and moved < most then
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most - moved)
    for _, data in ipairs(due) do
      redis.call('XADD', stream, '*', 'data', data, 'task_id', task_id(data))
    end
    redis.call('ZREMRANGEBYRANK', delayed, 0, #due - 1)
    moved = moved + #due
    first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  end
  if first and (following == '' or tonumber(first) < tonumber(following)) then
    following = first
  end
end
return {moved, following, now}
