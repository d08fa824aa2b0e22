-- Prepended to the scripts that may only act on leases that are held.
--
-- held_leases(stream, group, consumer, lowest, highest, count) returns a function that says whether
-- the consumer holds an entry; it returns true at most once for each entry. lowest and highest
-- bound the entries that will be asked about, count is their number. One page of the consumer's pending
-- entries usually answers for a whole batch.
local function held_leases(stream, group, consumer, lowest, highest, count)
  local held, size = {}, 2 * count + 16
  -- pcall: without a stream or a group there are no leases.
  local page = redis.pcall('XPENDING', stream, group, lowest, highest, size, consumer)
  if page.err then
    if string.find(page.err, 'NOGROUP', 1, true) then
      return function() return false end
    end
    error(page.err)
  end
  for n = 1, #page do
    held[page[n][1]] = true
  end
  local complete = #page < size
  return function(entry)
    local answer = held[entry]
    if answer == nil and not complete then
      answer = #redis.call('XPENDING', stream, group, entry, entry, 1, consumer) > 0
    end
    held[entry] = false
    return answer or false
  end
end

