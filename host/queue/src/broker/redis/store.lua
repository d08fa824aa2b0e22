-- Writes states and results, and notifies waiting clients. Follows results.lua.
--
-- KEYS: for each task: the keys of its state and of its result
-- ARGV: 1 to 4 as result_writer takes them, then for each task: state, result and inbox (see results.lua)
-- Returns: whether a hint was refused
local write = result_writer(1)
for n = 1, #KEYS / 2 do
  write(2 * n - 1, ARGV[3 * n + 2], ARGV[3 * n + 3], ARGV[3 * n + 4])
end
return hint_refused
