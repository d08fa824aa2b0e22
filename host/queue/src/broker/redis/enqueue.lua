-- Adds messages to a queue: all or none. Follows hint.lua.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages
-- ARGV: 1 maximum number of entries in the stream (empty: no limit); 2 channel for wake-ups;
--       3 number R of ready messages, then R times: task id, data;
--       then for each delayed message, in the order of their due times: seconds since 1970, data
-- Returns: -1, or -2 if they were added and the hint was refused; or, if there is no room for R more, the length of
--          the stream: then nothing was added
local stream, delayed = KEYS[1], KEYS[2]
local ready = tonumber(ARGV[3])
if ARGV[1] ~= '' and ready > 0 then
  local length = redis.call('XLEN', stream)
  if length + ready > tonumber(ARGV[1]) then
    return length
  end
end
local first_delayed = 4 + 2 * ready
for n = 4, first_delayed - 1, 2 do
  redis.call('XADD', stream, '*', 'data', ARGV[n + 1], 'task_id', ARGV[n])
end
if #ARGV >= first_delayed then
  -- Lua can pass on a few thousand arguments at most.
  for n = first_delayed, #ARGV, 2000 do
    redis.call('ZADD', delayed, unpack(ARGV, n, math.min(n + 1999, #ARGV)))
  end
  hint(ARGV[2], ARGV[first_delayed])
end
return -1 - hint_refused
