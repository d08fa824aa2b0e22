-- Forgets those of these consumers that hold nothing. Follows consumers.lua.
--
-- KEYS: 1 the default tenant's stream, 2 the admitted stream
-- ARGV: 1 group, then the consumers' names
-- Returns: how many were forgotten
local wanted = {}
for n = 2, #ARGV do
  wanted[ARGV[n]] = true
end
return forget_consumers(ARGV[1], function(consumer)
  return wanted[consumer.name]
end)
