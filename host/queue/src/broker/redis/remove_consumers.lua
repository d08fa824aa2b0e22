-- Forgets those of these consumers that hold nothing. Deleting a consumer drops what it holds, so the look and the
-- deletion are one step.
--
-- KEYS: 1 stream
-- ARGV: 1 group, then the consumers' names
-- Returns: how many were forgotten
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  if string.find(consumers.err, 'NOGROUP', 1, true) or string.find(consumers.err, 'no such key', 1, true) then
    return 0
  end
  return consumers
end
local wanted = {}
for n = 2, #ARGV do
  wanted[ARGV[n]] = true
end
local removed = 0
for _, fields in ipairs(consumers) do
  local consumer = {}
  for n = 1, #fields, 2 do
    consumer[fields[n]] = fields[n + 1]
  end
  if wanted[consumer.name] and consumer.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
