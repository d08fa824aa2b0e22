-- Forgets consumers that have been idle for longer than this and hold nothing. Follows consumers.lua.
--
-- KEYS: 1 stream
-- ARGV: 1 group, 2 milliseconds
-- Returns: how many were forgotten
local longest = tonumber(ARGV[2])
return forget_consumers(KEYS[1], ARGV[1], function(consumer)
  return consumer.idle > longest
end)
