-- Part of the script `settle`: puts a message back at the end of its queue, ready for another worker.
--
-- KEYS: the section's stream
-- ARGV: from `first` on: 1 data, 2 task id
-- Returns: nothing
local function release(section, first)
  if section.tenant == '' then
    redis.call('XADD', section.stream, '*', 'data', ARGV[first], 'task_id', ARGV[first + 1])
  else
    redis.call('XADD', section.stream, '*', 'data', ARGV[first], 'task_id', ARGV[first + 1], 'tenant', section.tenant)
    section.released = section.released + 1
  end
end

