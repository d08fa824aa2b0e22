-- Reclaims deliveries whose lease has expired, of the default tenant's messages and then of others'. Entries whose message is
-- gone are acknowledged.
--
-- KEYS: 1 the default tenant's stream, 2 admitted stream, 3 counter of reclaims
-- ARGV: 1 group, 2 consumer that reclaims, 3 milliseconds that a lease lasts, 4 maximum number of deliveries,
--       5 bytes of messages after which no more are reclaimed, 6 maximum size of a message, 7 how many bytes are
--       returned of a larger one, 8 maximum size of a task id
-- Returns: for each delivery: entry, data, task id (both may be empty), how often it has been delivered, including this
--          time, the size of the whole data (negative: there is none), and the tenant (empty: the default one)
local group = ARGV[1]
local room, most, kept, most_id = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
-- What is returned of an entry's fields.
local function read(fields)
  local data, task, size, tenant = '', '', -1, ''
  for n = 1, #fields, 2 do
    if fields[n] == 'data' then
      data, size = fields[n + 1], #fields[n + 1]
    elseif fields[n] == 'task_id' and #fields[n + 1] <= most_id then
      task = fields[n + 1]
    elseif fields[n] == 'tenant' then
      tenant = fields[n + 1]
    end
  end
  if size > most then
    data = string.sub(data, 1, kept)
  end
  return data, task, size, tenant
end

local taken = {}

-- Reclaims from one of the streams; returns an error.
local function reclaim(stream, of_tenants)
  local left = tonumber(ARGV[4]) - #taken
  if room <= 0 or left <= 0 then
    return
  end
  local expired = redis.pcall('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', left)
  if expired.err then
    return not string.find(expired.err, 'NOGROUP', 1, true) and expired or nil
  end
  for _, pending in ipairs(expired) do
    if room <= 0 then
      break
    end
    -- Before Redis 7, nil is returned for a message that is gone; later versions return nothing.
    local entry = redis.call('XCLAIM', stream, group, ARGV[2], ARGV[3], pending[1])[1]
    if entry then
      local data, task, size, tenant = read(entry[2])
      taken[#taken + 1] = {entry[1], data, task, pending[4] + 1, size, of_tenants and tenant or ''}
      room = room - #data
    else
      redis.call('XACK', stream, group, pending[1])
    end
  end
end

local failure = reclaim(KEYS[1], false) or reclaim(KEYS[2], true)
if failure and #taken == 0 then
  return failure
end
-- In the same step, so a settlement that relies on an older count is noticed.
if #taken > 0 then
  redis.call('INCR', KEYS[3])
end
return taken
