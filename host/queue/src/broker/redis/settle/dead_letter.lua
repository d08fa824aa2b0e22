-- Part of the script `settle`: adds a message to the dead letters. The oldest beyond the limit are removed.
--
-- KEYS: the section's stream of dead letters, and `index`: the hash that names a task's newest dead letter
-- ARGV: 2 maximum number of dead letters (empty: no limit);
--       from `first` on: 1 data, 2 time of the failure, 3 error, 4 retries, 5 task id, 6 the task's name
-- Returns: nothing

-- Removes the oldest dead letters, with their entries in the index.
local function trim_dead(dead, index, most)
  local over = redis.call('XLEN', dead) - most
  while over > 0 do
    local page = redis.call('XRANGE', dead, '-', '+', 'COUNT', math.min(over, 100))
    for _, letter in ipairs(page) do
      local fields = letter[2]
      for n = 1, #fields, 2 do
        if fields[n] == 'task_id' and redis.call('HGET', index, fields[n + 1]) == letter[1] then
          redis.call('HDEL', index, fields[n + 1])
        end
      end
    end
    over = over - #page
    redis.call('XTRIM', dead, 'MAXLEN', '=', most + over)
  end
end

local function dead_letter(section, first, entry, index)
  local data, failed_at, failure, retries, task, name = unpack(ARGV, first, first + 5)
  local letter = redis.call('XADD', section.dead, '*', 'data', data, 'failed_at', failed_at, 'error', failure,
    'retry_count', retries, 'original_stream_id', entry, 'task_id', task, 'task_name', name)
  if task ~= '' then
    redis.call('HSET', index, task, letter)
  end
  if ARGV[2] ~= '' then
    trim_dead(section.dead, index, tonumber(ARGV[2]))
  end
end

