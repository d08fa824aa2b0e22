-- Prepended to the scripts that add messages of the default tenant, which are ready in its stream. add_waiting.lua is for other
-- tenants, and has the same functions.
--
-- KEYS: 1 stream

-- The number of arguments behind the script's own.
local extra = 0

-- Why nothing may be added; nil if something may.
local function refusal()
end

-- The maximum number of messages in the queue, ready, leased and delayed ones; nil: no limit. `limit` is the broker's.
local function most(limit)
  return tonumber(limit)
end

local function ready_count()
  return redis.call('XLEN', KEYS[1])
end

local function add_ready(id, data)
  redis.call('XADD', KEYS[1], '*', 'data', data, 'task_id', id)
end

-- Ends an addition. `first` is when the first of the added messages that are delayed is due; nil: none is.
local function added(first)
end

