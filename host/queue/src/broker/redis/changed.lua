-- Reads the records that changed after a revision.
--
-- KEYS: 1 hash of records, 2 sorted set of revisions, 3 counter of revisions
-- ARGV: 1 revision that the caller knows
-- Returns: the revision now, and the records. A registry that is behind the caller has been replaced by
--          another: then all of them
local known, revision = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[3]) or 0)
if revision == known then
  return {revision, {}}
end
if revision < known then
  known = 0
end
local names = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. known, '+inf')
local records = {}
-- Lua hands over some thousand arguments at most.
for n = 1, #names, 2000 do
  local page = redis.call('HMGET', KEYS[1], unpack(names, n, math.min(n + 1999, #names)))
  for i = 1, #page do
    if page[i] then
      records[#records + 1] = page[i]
    end
  end
end
return {revision, records}
