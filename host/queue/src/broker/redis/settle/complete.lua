-- Part of the script `settle`: deliveries that are complete.
--
-- Most are complete with a result that goes to no inbox. These have a short form, in which nothing is
-- passed that is the same for all of them.
--
-- KEYS: the section's stream
-- ARGV: the short form, `count` times from `first` on: entry, result

-- Acknowledges all deliveries of the short form with one command. Only to be used where no lease of the
-- queue has been reclaimed since they were read: then a lease ends only with its entry, so the number of
-- entries that XACK finds says whether all leases were held.
--
-- Returns: nil if all leases were held, otherwise a function that says whether the lease of an entry was
local function acknowledge_all(section, first, count)
  local entries, arguments = {}, ARGV
  for n = 1, count do
    entries[n] = arguments[first + 2 * (n - 1)]
  end
  if redis.call('XACK', section.stream, section.group, unpack(entries)) == count then
    return nil
  end
  -- Entries whose lease was held are acknowledged now, but still in the stream. Those settled before are not.
  return function(entry) return redis.call('XDEL', section.stream, entry) == 1 end
end

-- The state and the result are written for every kind, so nothing remains to be done.
--
-- ARGV: none of its own
-- Returns: nothing
local function complete()
end

