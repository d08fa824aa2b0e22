-- Moves due messages to the stream, in the order of their due times, for each of some queues.
--
-- KEYS: for each queue: stream, sorted set of delayed messages
-- ARGV: 1 now, in seconds since 1970 (empty: the server's time); 2 maximum number of messages; 3 bytes of a message above
--       which its id is not looked for; 4 bytes after which no more is moved in this step
-- Returns: the number of messages moved, when the next one is due (empty: there is none), now, and whether it stopped
--          for the bytes
local most, most_bytes = tonumber(ARGV[2]), tonumber(ARGV[4])
local now = ARGV[1]
if now == '' then
  local time = redis.call('TIME')
  now = string.format('%.6f', time[1] + time[2] / 1000000)
end

-- The id is the first field in what Chicory and Chicory for Python write; anything else is parsed.
-- Invalid JSON is moved too, and so is what is large: a worker finds its id, or dead-letters it as unreadable.
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

-- Without a look at a message its size isn't known, so pages are small at first.
-- Returns: the number of messages moved, and their bytes
local function move(stream, delayed, room)
  local moved, bytes, page = 0, 0, 1
  repeat
    page = math.min(page, room - moved)
    local due, before = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, page), bytes
    local count = 0
    while count < #due and bytes < most_bytes do
      count = count + 1
      redis.call('XADD', stream, '*', 'data', due[count], 'task_id', task_id(due[count]))
      bytes = bytes + #due[count]
    end
    if count > 0 then
      redis.call('ZREMRANGEBYRANK', delayed, 0, count - 1)
    end
    moved = moved + count
    if count < page then
      break
    end
    if 8 * (bytes - before) < most_bytes then
      page = 8 * page
    end
  until moved == room or bytes >= most_bytes
  return moved, bytes
end

local moved, bytes, following = 0, 0, ''
for n = 1, #KEYS, 2 do
  local stream, delayed = KEYS[n], KEYS[n + 1]
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  if first and tonumber(first) <= tonumber(now) and moved < most and bytes < most_bytes then
    local more, size = move(stream, delayed, most - moved)
    moved, bytes = moved + more, bytes + size
    first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  end
  if first and (following == '' or tonumber(first) < tonumber(following)) then
    following = first
  end
end
return {moved, following, now, bytes >= most_bytes and 1 or 0}
