-- Replaces a module's record of a given revision, with a line in the audit log. Follows
-- hint.lua.
--
-- KEYS: 1 hash of records, 2 sorted set of revisions, 3 counter of revisions, 4 stream of the audit log
-- ARGV: 1 module, 2 revision to replace (0 for none), 3 record without its revision: a JSON
-- object with at least one member, 4 line for the log, 5 maximum number of lines there (roughly), 6 channel
-- Returns: the new revision, or 0 if the stored record has another revision (then nothing was changed); whether
-- the hint was refused
local stored = redis.call('ZSCORE', KEYS[2], ARGV[1])
if tonumber(stored or 0) ~= tonumber(ARGV[2]) then
  return {0, 0}
end
local revision = redis.call('INCR', KEYS[3])
redis.call('ZADD', KEYS[2], revision, ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], '{"revision":' .. revision .. ',' .. string.sub(ARGV[3], 2))
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'entry', ARGV[4])
hint(ARGV[6], revision)
return {revision, hint_refused}
