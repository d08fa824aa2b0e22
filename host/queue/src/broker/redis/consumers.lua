-- Prepended to the scripts that forget consumers.
--
-- forget_consumers(group, is_wanted) forgets the consumers that hold nothing in either of the streams KEYS[1] and KEYS[2] and that
-- is_wanted picks, by the fields of XINFO CONSUMERS; of those in both, by the ones of which they have been idle for less.
-- Deleting a consumer drops what it holds, so the look and the deletion are one step. Returns how many were forgotten, or the
-- server's error.
local function forget_consumers(group, is_wanted)
  local found, names = {}, {}
  for _, stream in ipairs({KEYS[1], KEYS[2]}) do
    local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
    if consumers.err then
      if not string.find(consumers.err, 'NOGROUP', 1, true) and not string.find(consumers.err, 'no such key', 1, true) then
        return consumers
      end
      consumers = {}
    end
    for _, fields in ipairs(consumers) do
      local consumer = {}
      for n = 1, #fields, 2 do
        consumer[fields[n]] = fields[n + 1]
      end
      local before = found[consumer.name]
      if before then
        before.pending, before.idle = before.pending + consumer.pending, math.min(before.idle, consumer.idle)
      else
        found[consumer.name] = consumer
        names[#names + 1] = consumer.name
      end
    end
  end
  local removed = 0
  for _, name in ipairs(names) do
    if found[name].pending == 0 and is_wanted(found[name]) then
      -- pcall: it may be known to one of them only.
      redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], group, name)
      redis.pcall('XGROUP', 'DELCONSUMER', KEYS[2], group, name)
      removed = removed + 1
    end
  end
  return removed
end

