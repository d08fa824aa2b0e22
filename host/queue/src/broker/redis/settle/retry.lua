-- Part of the script `settle`: puts a message back, delayed until its retry is due.
--
-- KEYS: the section's sorted set of delayed messages
-- ARGV: from `first` on: 1 when the retry is due, see due.lua; 2 data
-- Returns: nothing. section.wake becomes the earliest due time of the section's retries, in seconds since 1970
local function retry(section, first)
  local due = due_time(ARGV[first])
  redis.call('ZADD', section.delayed, due, ARGV[first + 1])
  if not section.wake or tonumber(due) < tonumber(section.wake) then
    section.wake = due
  end
end

