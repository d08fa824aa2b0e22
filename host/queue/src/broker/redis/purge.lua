-- Removes all ready, leased and delayed messages. The group stays, so workers go on. The leases that they
-- hold are lost.
--
-- KEYS: 1 stream, 2 sorted set of delayed messages
-- ARGV: 1 group
-- Returns: how many messages were removed
local stream, delayed, group = KEYS[1], KEYS[2], ARGV[1]
local removed = redis.call('XLEN', stream) + redis.call('ZCARD', delayed)
redis.call('DEL', delayed)
if redis.call('EXISTS', stream) == 1 then
  redis.call('XTRIM', stream, 'MAXLEN', 0)
end
repeat
  local page = redis.pcall('XPENDING', stream, group, '-', '+', 1000)
  local leased = {}
  if not page.err then
    for n = 1, #page do
      leased[n] = page[n][1]
    end
  end
  if #leased > 0 then
    redis.call('XACK', stream, group, unpack(leased))
  end
until #leased == 0
return removed
