-- Prepended to the scripts that make tenants' messages ready.
--
-- fair_queue(prefix, queue, group) returns what shares a queue among its tenants. A tenant's ready messages are in its
-- waiting list; the tenants that have some are in the sorted set `active`, by their tags. `admit` moves messages from the
-- lists of the tenants with the lowest tags to the admitted stream, which workers read. A tenant's tag grows with what it gets,
-- divided by its weight (start-time fair queueing: P. Goyal, H. Vin, H. Cheng, 1996). fairness/shares.rs has the same rule.
--
-- While a tenant is active, the admitted stream has an entry that nobody has read: whoever takes the last one, adds another.
-- So a worker that waits for an entry of the stream is woken, and need not look at the tenants.
--
-- prefix and queue are parts of keys, as keys.rs builds them. All keys of a queue share a slot.
-- Settings of a tenant: 'REVISION WEIGHT MOST HELD', see tenants.rs. Of those without settings, nothing is admitted, except
-- that the default tenant needs none.
-- Bytes of messages after which no more are admitted in one step.
local MOST_ADMITTED = 1048576

local function fair_queue(prefix, queue, group)
  local call = redis.call
  local fair = {}

  local function key(kind)
    return prefix .. ':' .. kind .. ':' .. queue
  end
  local admitted, active, slots = key('admitted'), key('active'), key('slots')
  local tags, clock_key, limits = key('tags'), key('clock'), key('limits')

  -- The key of what a tenant has of its own in the queue.
  function fair.own(tenant, kind)
    return prefix .. ':tenant:' .. tenant .. ':' .. kind .. ':' .. queue
  end

  -- A tenant's revision, weight, limit of queued messages (nil: none) and whether it is held; nil if it has no settings here.
  function fair.settings(tenant)
    local found = call('HGET', limits, tenant)
    if not found then
      return nil
    end
    local revision, weight, most, held = string.match(found, '^(%d+) (%d+) (%d*) ([01])$')
    return tonumber(revision), tonumber(weight), tonumber(most), held == '1'
  end

  local function clock()
    return tonumber(call('GET', clock_key) or '0')
  end

  -- The number of a stream's entries that nobody has read.
  function fair.unread(stream)
    local length = call('XLEN', stream)
    if length == 0 then
      return 0
    end
    for _, fields in ipairs(call('XINFO', 'GROUPS', stream)) do
      local read = {}
      for n = 1, #fields, 2 do
        read[fields[n]] = fields[n + 1]
      end
      if read.name == group then
        return math.max(0, length - read.pending)
      end
    end
    return length
  end

  -- Makes a tenant active if it has something to admit and is not held. One that comes back goes on where it was, but not
  -- before the others.
  function fair.join(tenant)
    local revision, _, _, held = fair.settings(tenant)
    if not revision or held or call('LLEN', fair.own(tenant, 'waiting')) == 0 then
      return
    end
    if not call('ZSCORE', active, tenant) then
      local tag = tonumber(call('HGET', tags, tenant) or '0')
      call('ZADD', active, string.format('%.17g', math.max(clock(), tag)), tenant)
      call('HDEL', tags, tenant)
    end
  end

  -- The same in reverse.
  function fair.leave(tenant)
    local tag = call('ZSCORE', active, tenant)
    if tag then
      call('ZREM', active, tenant)
      if tonumber(tag) > clock() then
        call('HSET', tags, tenant, tag)
      end
    end
  end

  -- Adds a message to a tenant's waiting list. A later `join` makes it known.
  function fair.wait(tenant, id, data)
    call('RPUSH', fair.own(tenant, 'waiting'), #id .. ':' .. id .. data)
  end

  -- Adds an element of a waiting list to the admitted stream.
  local function add(tenant, element)
    local length, start = string.match(element, '^(%d+):()')
    local finish = start + tonumber(length)
    call('XADD', admitted, '*', 'data', string.sub(element, finish), 'task_id', string.sub(element, start, finish - 1),
      'tenant', tenant)
  end

  -- Up to `room` active tenants, those with the lowest tags, in their order. Those whose lists were emptied leave.
  local function active_members(room)
    local list = {}
    repeat
      local found = call('ZRANGE', active, 0, room - 1, 'WITHSCORES')
      for n = 1, #found, 2 do
        local tenant = found[n]
        local _, weight, _, held = fair.settings(tenant)
        local ready = call('LLEN', fair.own(tenant, 'waiting'))
        if weight and not held and ready > 0 then
          list[#list + 1] = {name = tenant, tag = tonumber(found[n + 1]), weight = weight, ready = ready}
        else
          fair.leave(tenant)
        end
      end
    until #list > 0 or #found == 0
    return list
  end

  -- The same, with the default tenant if it has something in its stream.
  local function members(room, own_ready)
    local list = active_members(room)
    if own_ready > 0 then
      local _, weight = fair.settings('default')
      local tag = math.max(clock(), tonumber(call('HGET', tags, 'default') or '0'))
      list[#list + 1] = {name = 'default', tag = tag, weight = weight or 1, ready = own_ready}
      table.sort(list, function(one, other) return one.tag < other.tag end)
    end
    return list
  end

  -- Admits up to `count` messages of a tenant. Returns how many there were, and their bytes.
  local function take(tenant, count)
    local taken, bytes = call('LPOP', fair.own(tenant, 'waiting'), count) or {}, 0
    for _, element in ipairs(taken) do
      add(tenant, element)
      bytes = bytes + #element
    end
    return #taken, bytes
  end

  -- Puts a member back to its place in a list that is sorted from `first` on.
  local function insert(list, first, member)
    local place = #list + 1
    while place > first and list[place - 1].tag > member.tag do
      list[place] = list[place - 1]
      place = place - 1
    end
    list[place] = member
  end

  -- Notes what a member has had.
  local function note(member, got)
    local tag = string.format('%.17g', member.tag)
    if member.name == 'default' then
      call('HSET', tags, 'default', tag)
      return
    end
    call('HINCRBY', slots, member.name, got)
    call('ZADD', active, tag, member.name)
    if member.ready == 0 then
      fair.leave(member.name)
    end
  end

  -- Admits up to `room` messages, of which the default tenant, with own_ready ones in its stream, gets its share. Ends early
  -- after a megabyte: the size of a message is known once it is taken, so few are taken at first. Returns how many were
  -- admitted, and the default tenant's share.
  function fair.admit(room, own_ready)
    local list, first = members(room, own_ready), 1
    local quantum = math.min(math.max(math.floor(room / 32), 1), 8)
    local now, left, bytes, page, got, met = clock(), room, 0, 1, {}, {}
    while left > 0 and list[first] and bytes < MOST_ADMITTED do
      local member = list[first]
      list[first], first = false, first + 1
      local count, size = math.min(quantum * member.weight, left, member.ready), 0
      if member.name ~= 'default' then
        count, size = take(member.name, math.min(count, page))
        bytes = bytes + size
        if 8 * page * size < count * MOST_ADMITTED then
          page = 8 * page
        end
      end
      now = math.max(now, member.tag)
      member.tag = member.tag + count / member.weight
      member.ready, left = member.ready - count, left - count
      if not got[member.name] then
        met[#met + 1] = member
      end
      got[member.name] = (got[member.name] or 0) + count
      if member.ready > 0 then
        insert(list, first, member)
      end
    end
    call('SET', clock_key, string.format('%.17g', now))
    for _, member in ipairs(met) do
      note(member, got[member.name])
    end
    local share = got['default'] or 0
    return room - left - share, share
  end

  -- Sees to it that a worker that waits for an entry is woken.
  function fair.prime()
    if call('ZCARD', active) > 0 and fair.unread(admitted) == 0 then
      fair.admit(1, 0)
    end
  end

  -- Notes when a tenant's first delayed message is due, if that is sooner than what is known.
  function fair.delay(tenant, due)
    call('ZADD', key('due'), 'LT', due, tenant)
  end

  fair.due, fair.admitted, fair.active, fair.slots, fair.limits = key('due'), admitted, active, slots, limits
  return fair
end

