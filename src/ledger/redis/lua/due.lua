-- Work that time brings: leases lapse, deadlines decide, grants become effective, buckets end. Verbs that
-- decide do it first; too much of it is `tick`'s. Wrapped in a function, since most calls have none.
--
-- Invariant: nothing here happens early: within grace no lease lapses and no deadline is applied.

local BESIDE_MAX = 16
local TICK_MAX = 64

-- Charges that due work has made unknown or has ended, by id.
local lapsed_now, ended_now = {}, {}

-- Whether anything may be due; the two moments may be too early.
local function may_be_due()
  local a = account
  return (a.wake_next ~= NONE and a.wake_next <= now) or (not grace and a.lease_next ~= NONE and a.lease_next <= now)
end

local function due_rules()
  local rules = {}
  local looked

  -- A deadline has come: `on_unknown` decides.
  local function decide(o)
    if o.on_unknown == ON_HOLD then broken(o.charge .. ' has a deadline but is kept') end
    local e = o.on_unknown == ON_CHARGE and settle_open(o, o.held) or release_open(o)
    e.by_deadline = 1
    e.bytes = write_tomb(e) .. pack('<Hc0Hc0', #o.note, o.note, #o.explanation, o.explanation)
    opens[o.charge], lapsed_now[o.charge], ended_now[o.charge] = nil, nil, e
  end

  local function lapse(o)
    make_unknown(o)
    lapsed_now[o.charge] = o
  end

  local function expire(p)
    post(p, 'available', 'expired', p.available)
  end

  local function by_id(test)
    local found = {}
    for _, o in pairs(open_charges()) do
      if test(o) then found[#found + 1] = o end
    end
    table.sort(found, function(a, b) return precedes(a.charge, b.charge) end)
    return found
  end

  local function add(items, found, act)
    for _, subject in ipairs(found) do items[#items + 1] = { act = act, subject = subject } end
  end

  function rules.list()
    local items = {}
    if not grace and (looked or (account.lease_next ~= NONE and account.lease_next <= now)) then
      looked = true
      add(items, by_id(function(o) return o.unknown == 0 and o.lease_end <= now end), lapse)
      add(items, by_id(function(o)
        return o.unknown == 1 and o.deadline ~= NONE and o.deadline <= now
      end), decide)
    end
    add(items, by_age(function(p) return p.fresh == 1 and p.effective <= now end), repay)
    add(items, by_age(function(p) return ended(p) and p.available > 0 end), expire)
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

local function due_ends()
  local list = {}
  for _, e in pairs(ended_now) do list[#list + 1] = e end
  table.sort(list, function(a, b) return precedes(a.charge, b.charge) end)
  if #list > 0 then call('HLEN', LAPSED) end
  return list
end

-- Writes what due work has done to charges.
local function put_due(kept_ms)
  if not next(lapsed_now) and not next(ended_now) then return end
  local LAPSED_LOOK = 256

  -- Forgets, now and then, charges that a deadline had ended and whose time is over.
  local function forget_lapsed(kept_ms)
    local all = call('HGETALL', LAPSED)
    for i = 1, #all, 2 do
      if read_tomb(all[i], all[i + 1]).at + kept_ms <= now then call('HDEL', LAPSED, all[i]) end
    end
  end

  for charge, o in pairs(lapsed_now) do call('HSET', OPEN, charge, write_open(o)) end
  for charge, e in pairs(ended_now) do
    call('HDEL', OPEN, charge)
    call('HSET', LAPSED, charge, e.bytes)
    call('PEXPIRE', LAPSED, digits(kept_ms))
    if call('HLEN', LAPSED) % LAPSED_LOOK == 0 then forget_lapsed(kept_ms) end
  end
end
