-- Counts a queue's messages and consumers.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages, 3 stream of dead letters
-- ARGV: 1 group
-- Returns: entries in the stream, leased ones, delayed ones, dead letters, consumers, and for how many milliseconds the
-- oldest of the ready messages has been ready (-1: none is ready)
local group = {pending = 0, consumers = 0}
-- pcall: the stream may not exist yet, nor the group.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, fields in ipairs(groups) do
    local read = {}
    for n = 1, #fields, 2 do
      read[fields[n]] = fields[n + 1]
    end
    if read.name == ARGV[1] then
      group = read
    end
  end
elseif not string.find(groups.err, 'no such key', 1, true) then
  return groups
end
local from, age = group['last-delivered-id'] and '(' .. group['last-delivered-id'] or '-', -1
local oldest = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
if oldest then
  local now = redis.call('TIME')
  local since = tonumber(string.match(oldest[1], '^%d+'))
  age = math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - since)
end
return {redis.call('XLEN', KEYS[1]), group.pending, redis.call('ZCARD', KEYS[2]), redis.call('XLEN', KEYS[3]),
  group.consumers, age}
