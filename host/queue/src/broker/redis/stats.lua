-- Counts a queue's messages and consumers.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages, 3 stream of dead letters
-- ARGV: 1 group
-- Returns: entries in the stream, leased ones, delayed ones, dead letters, consumers
local pending, consumers = 0, 0
-- pcall: the stream or the group may not exist yet.
local summary = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if not summary.err then
  pending = summary[1]
  consumers = #redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
elseif not string.find(summary.err, 'NOGROUP', 1, true) then
  return summary
end
return {redis.call('XLEN', KEYS[1]), pending, redis.call('ZCARD', KEYS[2]), redis.call('XLEN', KEYS[3]), consumers}
