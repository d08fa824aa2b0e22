-- Removes what is left of a queue that is empty and that nobody serves. The noted ids of messages that have ended stay until
-- the last of them is forgotten: nobody else would remove them. Follows ids.lua.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages, 3 stream of dead letters, 4 sorted set of noted ids,
--       5 admitted stream, then other keys of the queue
-- ARGV: none
-- Returns: nothing
if redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) + redis.call('XLEN', KEYS[3]) + redis.call('XLEN', KEYS[5]) > 0 then
  return
end
-- pcall: the stream may not exist.
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, fields in ipairs(groups) do
    for n = 1, #fields, 2 do
      if fields[n] == 'consumers' and fields[n + 1] > 0 then
        return
      end
    end
  end
end
let_ids_expire(KEYS[4])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], unpack(KEYS, 5))
