-- Removes the oldest entries of a stream, as many as make a short step.
--
-- KEYS: 1 stream, 2 what goes with its last entry (optional)
-- ARGV: 1 the first entry that stays, 2 maximum number of entries (roughly)
-- Returns: how many were removed; 0 once none before that entry is left
-- First whole nodes of the stream, which takes little time, and then what is left in the last node.
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1], 'LIMIT', ARGV[2])
if removed == 0 then
  removed = redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
end
if KEYS[2] and redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('UNLINK', KEYS[2])
end
return removed
