-- Notes what a worker reports about a rollout; its last report counts.
--
-- KEYS: 1 hash of the rollout's reports
-- ARGV: 1 worker, 2 report, 3 seconds to keep them
-- Returns: nothing
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
