-- Reclaims deliveries whose lease has expired. Entries whose message is gone are acknowledged.
--
-- KEYS: 1 stream, 2 counter of reclaims
-- ARGV: 1 group, 2 consumer that reclaims, 3 milliseconds that a lease lasts, 4 maximum number of deliveries,
--       5 bytes of messages after which no more are reclaimed, 6 maximum size of a message, 7 how many bytes are
--       returned of a larger one, 8 maximum size of a task id
-- Returns: for each delivery: entry, data, task id (both may be empty), how often it has been delivered, including this
--          time, and the size of the whole data (negative: there is none)
local stream, group = KEYS[1], ARGV[1]
local room, most, kept, most_id = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local expired = redis.pcall('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', ARGV[4])
if expired.err then
  if string.find(expired.err, 'NOGROUP', 1, true) then
    return {}
  end
  return expired
end

-- What is returned of an entry's fields.
local function read(fields)
  local data, task, size = '', '', -1
  for n = 1, #fields, 2 do
    if fields[n] == 'data' then
      data, size = fields[n + 1], #fields[n + 1]
    elseif fields[n] == 'task_id' and #fields[n + 1] <= most_id then
      task = fields[n + 1]
    end
  end
  if size > most then
    data = string.sub(data, 1, kept)
  end
  return data, task, size
end

local taken = {}
for _, pending in ipairs(expired) do
  if room <= 0 then
    break
  end
  -- Before Redis 7, nil is returned for a message that is gone; later versions return nothing.
  local entry = redis.call('XCLAIM', stream, group, ARGV[2], ARGV[3], pending[1])[1]
  if entry then
    local data, task, size = read(entry[2])
    taken[#taken + 1] = {entry[1], data, task, pending[4] + 1, size}
    room = room - #data
  else
    redis.call('XACK', stream, group, pending[1])
  end
end
-- In the same step, so a settlement that relies on an older count is noticed.
if #taken > 0 then
  redis.call('INCR', KEYS[2])
end
return taken
