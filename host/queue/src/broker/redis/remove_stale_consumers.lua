-- Forgets consumers that have been idle for longer than this and hold nothing. Follows consumers.lua.
--
-- KEYS: 1 the default tenant's stream, 2 the admitted stream
-- ARGV: 1 group, 2 milliseconds
-- Returns: how many were forgotten
local longest = tonumber(ARGV[2])
return forget_consumers(ARGV[1], function(consumer)
  return consumer.idle > longest
end)
