-- Work that time brings: leases lapse, deadlines decide, grants become effective, buckets end. Every verb that moves
-- money or ends something does it first, so that nothing depends on whether somebody has looked in between; too much
-- of it is `tick`'s. Wrapped in a function, since most calls have none.
--
-- Invariant: nothing here happens early: within grace no lease lapses and no deadline is applied.

-- Charges that due work has made unknown or has ended, by id.
local lapsed_now, ended_now = {}, {}
local work_done = false

-- Whether anything may be due; the two moments may be too early.
local function may_be_due()
  local a = account
  return (a.wake_next ~= NONE and a.wake_next <= now) or (not grace and a.lease_next ~= NONE and a.lease_next <= now)
end

local function due_rules()
  local BESIDE_MAX, TICK_MAX = 16, 64
  local rules = {}
  local looked

  -- A deadline has come: `on_unknown` decides.
  local function decide(head)
    local o = whole(head)
    if o.on_unknown == ON_HOLD then broken(o.charge .. ' has a deadline but is kept') end
    -- What goes back does so as of the deadline, whenever somebody looks.
    local looked_at = now
    if o.on_unknown ~= ON_CHARGE then now = math.min(now, o.deadline) end
    local e = o.on_unknown == ON_CHARGE and settle_open(o, o.held) or release_open(o)
    now = looked_at
    e.by_deadline, e.at, account.lapsed_at = 1, now, math.max(account.lapsed_at, now)
    e.texts = pack('<Hc0Hc0', #o.note, o.note, #o.explanation, o.explanation)
    e.bytes = write_tomb(e) .. e.texts
    opens[o.charge], lapsed_now[o.charge], ended_now[o.charge] = nil, nil, e
  end

  local function lapse(head)
    local o = whole(head)
    make_unknown(o)
    lapsed_now[o.charge] = o
  end

  -- Where the byte stands in EXTRA that says whether something carries over, and the names that it is only for.
  local function carry_of(extra)
    local n, at = unpack('<B', extra)
    for _ = 1, n do _, at = unpack('<Bc0', extra, at) end
    local only = n > 0 and string.sub(extra, 1, at - 1) .. '\000\000\000' or ''
    local paid
    _, paid, at = unpack('<Bc0B', extra, at)
    if paid == 1 then _, _, at = unpack('<i7c3', extra, at) end
    return at, only
  end

  -- How much lives on of what is left. The product of both may be too large to be exact.
  local function keeps(left, min, max, percent)
    local WHOLE = 100
    percent = math.min(percent, WHOLE)
    local part = left % WHOLE
    local kept = (left - part) / WHOLE * percent + math.floor(part * percent / WHOLE)
    return math.min(math.max(kept, min), max, left)
  end

  -- A bucket has ended: what of an allowance lives on becomes a bucket of its own.
  local function expire(p)
    local NO_EXTRA = '\000\000\000\000'
    local left = p.available
    post(p, 'available', 'expired', left)
    if p.extra == '' then return end
    local at, only = carry_of(p.extra)
    local has, behind = unpack('<B', p.extra, at)
    if has == 0 then return end
    local min, max, percent, until_then, rest = unpack('<i7i7Bi7', p.extra, behind)
    local without = string.sub(p.extra, 1, at - 1) .. '\000' .. string.sub(p.extra, rest)
    p.extra = without == NO_EXTRA and '' or without
    local kept = keeps(left, min, max, percent)
    if kept == 0 then return end
    local id = p.id .. '@rollover'
    if find(id) then broken('there is a bucket ' .. id .. ' already') end
    make_purse(id, p.kind, ROLLOVER, kept, p.priority, p.expires, until_then, only)
  end

  -- Charges of which `moment` says when something became due, in that order and that of their ids: no more of
  -- them than are done at a time, since sorting thousands would take longer than everything else.
  local function first(moment)
    local found = {}
    local function place_of(o, at)
      local place = #found + 1
      while place > 1 do
        local before = found[place - 1]
        if before.at < at or (before.at == at and precedes(before.subject.charge, o.charge)) then break end
        place = place - 1
      end
      return place
    end
    for _, o in pairs(open_charges()) do
      local at = moment(o)
      if at ~= NONE and at <= now then
        local place = place_of(o, at)
        if place <= TICK_MAX then table.insert(found, place, { subject = o, at = at }) end
        if #found > TICK_MAX then table.remove(found) end
      end
    end
    return found
  end

  local function add(items, subject, at, act)
    items[#items + 1] = { act = act, subject = subject, at = at, place = #items }
  end

  -- All that is due, in the order in which it became so, whether or not somebody looked in between: what is owed
  -- later is not an earlier grant's to repay.
  function rules.list()
    local items = {}
    if not grace and (looked or (account.lease_next ~= NONE and account.lease_next <= now)) then
      looked = true
      for _, found in ipairs(first(function(o) return o.unknown == 0 and o.lease_end or NONE end)) do
        add(items, found.subject, found.at, lapse)
      end
      for _, found in ipairs(first(function(o) return o.unknown == 1 and o.deadline or NONE end)) do
        add(items, found.subject, found.at, decide)
      end
    end
    for _, p in ipairs(by_age(awake)) do add(items, p, p.effective, repay) end
    for _, p in ipairs(by_age(function(p) return ended(p) and p.available > 0 end)) do
      add(items, p, p.expires, expire)
    end
    table.sort(items, function(a, b)
      if a.at ~= b.at then return a.at < b.at end
      return a.place < b.place
    end)
    return items
  end

  -- The indexes' moments become exact again.
  function rules.finish()
    wake_exact = true
    if not looked then return end
    local at = NONE
    for _, o in pairs(open_charges()) do
      local own = next_of(o)
      if own ~= NONE and (at == NONE or own < at) then at = own end
    end
    account.lease_next, lease_moved = at, true
  end

  -- Does all that is due; a refusal if that is too much here.
  function rules.catch_up()
    local done = 0
    while true do
      local items = rules.list()
      if #items == 0 then
        rules.finish()
        return nil
      end
      done = done + #items
      if done > BESIDE_MAX then return reply(TICK) end
      work_done = true
      for _, item in ipairs(items) do item.act(item.subject) end
    end
  end

  -- Does a bounded part of what is due; the answer is how much.
  function rules.tick()
    local items, done = rules.list(), 0
    for i = 1, math.min(#items, TICK_MAX) do
      items[i].act(items[i].subject)
      done = done + 1
    end
    rules.finish()
    return done
  end

  return rules
end

-- Charges whose time among those that a deadline had ended is over.
local forgotten = {}

-- The charges that due work has ended, in order.
local function due_ends(kept_ms)
  -- Looks now and then for what may be forgotten: when so many more have come.
  local function look_for_old(there, more)
    local LOOK_EVERY = 256
    local TOMB_HEAD = '<BBBBi7'
    local HEAD_BYTES = 11
    if math.floor(there / LOOK_EVERY) == math.floor((there + more) / LOOK_EVERY) then return end
    local all = call('HGETALL', LAPSED)
    for i = 1, #all, 2 do
      local bytes = all[i + 1]
      -- What cannot be read is left to whoever can.
      if #bytes >= HEAD_BYTES and string.byte(bytes, 1) == VERSION then
        local _, _, _, _, at = unpack(TOMB_HEAD, bytes)
        if at + kept_ms <= now then forgotten[#forgotten + 1] = all[i] end
      end
    end
  end

  local list = {}
  for _, e in pairs(ended_now) do list[#list + 1] = e end
  table.sort(list, function(a, b) return precedes(a.charge, b.charge) end)
  if #list > 0 then look_for_old(call('HLEN', LAPSED), #list) end
  return list
end

-- Writes what due work has done to charges.
local function put_due(kept_ms)
  for charge, o in pairs(lapsed_now) do call('HSET', OPEN, charge, write_open(o)) end
  for _, charge in ipairs(forgotten) do call('HDEL', LAPSED, charge) end
  for charge, e in pairs(ended_now) do
    call('HDEL', OPEN, charge)
    call('HSET', LAPSED, charge, e.bytes)
  end
  if next(ended_now) then call('PEXPIRE', LAPSED, digits(kept_ms)) end
end

-- Writes what due work has done for a verb that has nothing of its own to write.
local function put_due_alone(verb, kept_ms)
  if not work_done then return end
  local record = prepare(verb, due_ends(kept_ms))
  put(kept_ms)
  put_due(kept_ms)
  call('SET', ACCOUNT, record)
end
