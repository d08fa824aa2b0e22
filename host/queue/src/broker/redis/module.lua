-- Reads the record of one module. A record above the maximum size is left on the server.
--
-- KEYS: 1 hash of records, 2 sorted set of revisions
-- ARGV: 1 module, 2 its name's canonical form, to find it in another spelling; empty to look for the
-- name as it is, 3 maximum size of a record
-- Returns: nothing, or the module's name, the record's revision, its size, and the record
local name = ARGV[1]
if redis.call('HEXISTS', KEYS[1], name) == 0 then
  name = nil
  if ARGV[2] ~= '' then
    for _, known in ipairs(redis.call('HKEYS', KEYS[1])) do
      local canonical = string.gsub(string.lower(known), '_', '-')
      if canonical == ARGV[2] then
        name = known
      end
    end
  end
end
if not name then
  return false
end
local size = redis.call('HSTRLEN', KEYS[1], name)
local record = size <= tonumber(ARGV[3]) and redis.call('HGET', KEYS[1], name) or ''
return {name, tonumber(redis.call('ZSCORE', KEYS[2], name) or 0), size, record}
