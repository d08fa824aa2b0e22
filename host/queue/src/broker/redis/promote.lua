-- Moves due messages to the stream, the first due first.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages
-- ARGV: 1 now, seconds since 1970; 2 at most so many
-- Returns: how many were moved, and when the next is due (empty where there is none)
local stream, delayed = KEYS[1], KEYS[2]

-- The id is the first field of what Chicory and the Python system write; anything else is parsed.
-- What is no JSON is moved all the same: a worker dead-letters it as unreadable.
local function task_id(data)
  local id = string.match(data, '^{"id": ?"([%w_.:-]+)"')
  if id then
    return id
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
