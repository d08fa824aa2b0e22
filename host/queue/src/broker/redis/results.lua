-- Prepended to the scripts that write results. Follows hint.lua.
--
-- result_writer(first) returns two functions. write(n, state, result, inbox) stores the state and the
-- result of a task and notifies waiting clients. `result` may be empty: then only the state changes.
-- `inbox` is the channel of a client that is told of the result; it may be empty.
-- place(n, state, ahead) does the same with a result that was written ahead, under the key `ahead`, but
-- notifies nobody: that would take a copy of the result.
--
-- KEYS: n and n + 1: the keys of the state and of the result
-- ARGV: from `first` on: 1 seconds to keep results (0: they never expire), 2 channel that has subscribers
--       while anybody waits, 3 prefix of result keys, 4 prefix of the channels that announce a result;
--       a task's key and channel have the same suffix
-- Returns: nothing
local function result_writer(first)
  local call, keys = redis.call, KEYS
  local ttl, waiting, key_prefix, channel_prefix = unpack(ARGV, first, first + 3)
  -- Usually nobody waits. Asking once is cheaper than publishing each result.
  local waited

  -- The channel that tells of a result, by its key; keys of tenants have their names in front.
  local function channel_of(key)
    if string.sub(key, 1, #key_prefix) == key_prefix then
      return channel_prefix .. string.sub(key, #key_prefix + 1)
    end
    local base = string.sub(key_prefix, 1, -1 - #'result:')
    local tenant, task = string.match(string.sub(key, #base + 1), '^tenant:([a-z0-9-]+):result:(.*)$')
    return base .. 'tenant:' .. tenant .. ':done:' .. task
  end

  local function put(key, value)
    if ttl == '0' then
      call('SET', key, value)
    else
      call('SETEX', key, ttl, value)
    end
  end

  local function place(n, state, ahead)
    put(keys[n], state)
    -- pcall: a user may not be allowed to rename.
    local renamed = redis.pcall('RENAME', ahead, keys[n + 1])
    if renamed.err then
      put(keys[n + 1], call('GET', ahead))
    elseif ttl == '0' then
      call('PERSIST', keys[n + 1])
    else
      call('EXPIRE', keys[n + 1], ttl)
    end
  end

  local function write(n, state, result, inbox)
    put(keys[n], state)
    if result == '' then
      return
    end
    put(keys[n + 1], result)
    if inbox ~= '' then
      hint(inbox, result)
    end
    if waited == nil then
      -- pcall: a user may not be allowed to ask.
      local listeners = redis.pcall('PUBSUB', 'NUMSUB', waiting)
      waited = listeners.err ~= nil or listeners[2] > 0
    end
    if waited then
      hint(channel_of(keys[n + 1]), result)
    end
  end

  return write, place
end

