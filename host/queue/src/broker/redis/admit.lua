-- Says how many messages a fetch may read of each of a queue's streams, and admits what its tenants get of that. Follows fair.lua.
--
-- KEYS: 1 the default tenant's stream
-- ARGV: 1 prefix and 2 queue, see fair.lua; 3 group; 4 how many messages are wanted
-- Returns: how many to read of the admitted stream, how many of the default tenant's, how many tenants are still active
local fair = fair_queue(ARGV[1], ARGV[2], ARGV[3])
local wanted = tonumber(ARGV[4])
local unread, share = fair.unread(fair.admitted), 0
if unread < wanted then
  if redis.call('ZCARD', fair.active) > 0 then
    local admitted
    admitted, share = fair.admit(wanted - unread, fair.unread(KEYS[1]))
    unread = unread + admitted
  else
    share = wanted - unread
  end
end
local read = math.min(unread, wanted)
-- One more than is read, for the next worker.
if unread == read and redis.call('ZCARD', fair.active) > 0 then
  fair.admit(1, 0)
end
return {read, share, redis.call('ZCARD', fair.active)}
