-- Makes a dead letter ready again. Follows ids.lua, and add_stream.lua or add_waiting.lua.
--
-- KEYS: 1 stream or waiting list, 2 stream of dead letters, 3 hash that names a task's newest dead letter, 4 sorted set of noted ids
-- ARGV: 1 the dead letter's entry, 2 task id, 3 data, 4 whether the id is noted (1)
-- Returns: 1, or 0 if the dead letter is gone
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then
  return 0
end
-- Added first: if the server is out of memory, this fails and the dead letter stays.
add_ready(ARGV[2], ARGV[3])
added()
if ARGV[4] == '1' then
  note_id(KEYS[4], ARGV[2])
end
redis.call('XDEL', KEYS[2], ARGV[1])
if redis.call('HGET', KEYS[3], ARGV[2]) == ARGV[1] then
  redis.call('HDEL', KEYS[3], ARGV[2])
end
return 1
