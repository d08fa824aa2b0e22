-- Reads the records that changed after a revision. Records above the maximum size are left on the server.
--
-- KEYS: 1 hash of records, 2 sorted set of revisions, 3 counter of revisions
-- ARGV: 1 revision that the caller knows, 2 maximum size of a record
-- Returns: the current revision, and for each record the module's name, its revision, its size, and the record. If
-- the registry is behind the caller, it has been replaced by another: then all records
local known, revision = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[3]) or 0)
if revision == known then
  return {revision, {}}
end
if revision < known then
  known = 0
end
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. known, '+inf', 'WITHSCORES')
local records = {}
for n = 1, #names, 2 do
  local size = redis.call('HSTRLEN', KEYS[1], names[n])
  local record = size <= tonumber(ARGV[2]) and redis.call('HGET', KEYS[1], names[n]) or ''
  if size > 0 or redis.call('HEXISTS', KEYS[1], names[n]) == 1 then
    records[#records + 1] = {names[n], tonumber(names[n + 1]), size, record}
  end
end
return {revision, records}
