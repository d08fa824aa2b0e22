-- Forgets consumers that have been idle for longer and hold nothing. Deleting a consumer drops what it
-- holds, so the look and the deletion are one step.
--
-- KEYS: 1 stream
-- ARGV: 1 group, 2 milliseconds
-- Returns: how many were forgotten
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  if string.find(consumers.err, 'NOGROUP', 1, true) or string.find(consumers.err, 'no such key', 1, true) then
    return 0
  end
  return consumers
end
local removed = 0
for _, fields in ipairs(consumers) do
  local consumer = {}
  for n = 1, #fields, 2 do
    consumer[fields[n]] = fields[n + 1]
  end
  if consumer.pending == 0 and consumer.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
