-- Makes a dead letter ready again.
--
-- KEYS: 1 stream, 2 stream of dead letters
-- ARGV: 1 the dead letter's entry, 2 task id, 3 data
-- Returns: 1, or 0 if the dead letter is gone
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then
  return 0
end
-- Added first: if the server is out of memory this fails, and the dead letter stays.
redis.call('XADD', KEYS[1], '*', 'data', ARGV[3], 'task_id', ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
