-- Prepended to the scripts that forget consumers.
--
-- forget_consumers(stream, group, is_wanted) forgets the consumers that hold nothing and that is_wanted selects by the
-- fields of XINFO CONSUMERS. Deleting a consumer drops what it holds, so the check and the deletion are one step.
-- Returns how many were forgotten, or the server's error.
local function forget_consumers(stream, group, is_wanted)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
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
    if consumer.pending == 0 and is_wanted(consumer) then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
      removed = removed + 1
    end
  end
  return removed
end

