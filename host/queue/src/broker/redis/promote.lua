-- Makes due messages ready, in the order of their due times, for each of some queues. Follows fair.lua.
--
-- KEYS: for each queue: stream, sorted set of delayed messages, sorted set of the tenants that have delayed messages
-- ARGV: 1 now, in seconds since 1970 (empty: the server's time); 2 maximum number of messages; 3 bytes of a message above
--       which its id is not looked for; 4 bytes after which no more is moved in this step;
--       5 prefix and 6 group, see fair.lua; then for each queue: its part of keys
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
local function move(delayed, room, room_bytes, add)
  local moved, bytes, page = 0, 0, 1
  repeat
    page = math.min(page, room - moved)
    local due, before = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, page), bytes
    local count = 0
    while count < #due and bytes < room_bytes do
      count = count + 1
      add(task_id(due[count]), due[count])
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
  until moved == room or bytes >= room_bytes
  return moved, bytes
end

local moved, bytes, following = 0, 0, ''

-- Moves what is due from a sorted set, as far as there is room. Returns when the next one is due, or nil.
local function move_due(delayed, add)
  local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  if first and tonumber(first) <= tonumber(now) and moved < most and bytes < most_bytes then
    local more, size = move(delayed, most - moved, most_bytes - bytes, add)
    moved, bytes = moved + more, bytes + size
    first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  end
  return first
end

-- The same for all tenants that have something due in a queue.
local function move_of_tenants(due, queue)
  local tenants = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
  if #tenants == 0 and redis.call('EXISTS', ARGV[5] .. ':active:' .. queue) == 0 then
    return
  end
  local fair = fair_queue(ARGV[5], queue, ARGV[6])
  -- Also where nothing is due: should a worker have ended right after it took the last entry, this wakes another.
  fair.prime()
  for _, tenant in ipairs(tenants) do
    local first = move_due(fair.own(tenant, 'delayed'), function(id, data) fair.wait(tenant, id, data) end)
    if first then
      redis.call('ZADD', due, first, tenant)
    else
      redis.call('ZREM', due, tenant)
    end
    fair.join(tenant)
    fair.prime()
  end
end

local function follow(first)
  if first and (following == '' or tonumber(first) < tonumber(following)) then
    following = first
  end
end

for n = 1, #KEYS, 3 do
  local stream, delayed, due = unpack(KEYS, n, n + 2)
  follow(move_due(delayed, function(id, data) redis.call('XADD', stream, '*', 'data', data, 'task_id', id) end))
  move_of_tenants(due, ARGV[6 + (n + 2) / 3])
  follow(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2])
end
return {moved, following, now, bytes >= most_bytes and 1 or 0}
