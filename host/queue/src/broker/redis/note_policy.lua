-- Notes a trust policy, with a line in the audit log if it differs from the last one noted.
--
-- KEYS: 1 policy, 2 stream of the audit log
-- ARGV: 1 policy, 2 line for the log, 3 maximum number of lines there (roughly)
-- Returns: 1 if it differs, else 0
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'entry', ARGV[2])
return 1
