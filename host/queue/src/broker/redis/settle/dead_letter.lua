-- Part of the script `settle`: adds a message to the dead letters. The oldest beyond the limit go.
--
-- KEYS: the section's stream of dead letters
-- ARGV: 2 maximum number of dead letters (empty: no limit);
--       from `first` on: 1 data, 2 time of the failure, 3 error, 4 retries, 5 task id, 6 the task's name
-- Returns: nothing
local function dead_letter(section, first, entry)
  local data, failed_at, failure, retries, task, name = unpack(ARGV, first, first + 5)
  local letter = {'*', 'data', data, 'failed_at', failed_at, 'error', failure, 'retry_count', retries,
    'original_stream_id', entry, 'task_id', task, 'task_name', name}
  if ARGV[2] == '' then
    redis.call('XADD', section.dead, unpack(letter))
  else
    redis.call('XADD', section.dead, 'MAXLEN', '=', ARGV[2], unpack(letter))
  end
end

