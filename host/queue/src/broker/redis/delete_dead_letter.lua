-- Deletes a dead letter.
--
-- KEYS: 1 stream of dead letters, 2 hash that names a task's newest dead letter
-- ARGV: 1 the dead letter's entry, 2 task id
-- Returns: 1, or 0 if the dead letter is gone
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[1] then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
return redis.call('XDEL', KEYS[1], ARGV[1])
