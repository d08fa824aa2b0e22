-- Moves due messages to the stream, in the order of their due times.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages
-- ARGV: 1 now, seconds since 1970; 2 maximum number of messages; 3 most bytes of a message
-- Returns: the number of messages moved, and when the next one is due (empty: there is none)
local stream, delayed = KEYS[1], KEYS[2]

-- The id is the first field of what Chicory and Chicory for Python write; anything else is parsed.
-- Invalid JSON is moved as well, and so is what is too large: a worker dead-letters it as unreadable.
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

local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, data in ipairs(due) do
  redis.call('XADD', stream, '*', 'data', data, 'task_id', task_id(data))
end
if #due > 0 then
  redis.call('ZREMRANGEBYRANK', delayed, 0, #due - 1)
end
local following = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
return {#due, following[2] or ''}
