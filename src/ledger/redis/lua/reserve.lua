-- reserve, and with DRY set quote: every gate in order, then the hold. All or nothing.
--
-- KEYS  as every verb; 10 charge
-- ARGV  2 call: '<I4' where USUAL begins, CALL below (id, document's version, born, lease, how long records are kept,
--         the time for which the values hold, ranks of classes, FLAGS of an open charge), what an open charge's record
--         says from its hold to its route and what flags add, revision with instance, note; then '<H' rates of
--         '<Hc0i7i7' (key, interval and burst in microseconds), '<H' slots of '<Hc0I4' (scope,
--         limit), '<H' caps of '<Hc0Bi7B' (key, whether it counts, limit, refundable) and two periods '<Bc0i7i7'
--         (id, start, end), '<H' allowances of '<Bc0Bc0BBi7BHc0B' (name, kind, class, priority, amount, when: 1 once
--         everything else is used up, EXTRA without what carries over, whether some does), then if so '<i7i7Bi7i7'
--         (min, max, percent, until when from each period), and two periods '<Bc0Bc0i7i7' (bucket's id, period's id,
--         start, end); then what the usual path reads instead of these lists, as it says
-- reply 0: '<i7i7i7H' available, held, lease's end, legs; legs '<Bc0i7'; per cap '<Bi7' (which period, 255:
--         none; used); per slot '<I4'
--       1 lost, 2 broken (an error), 3 clock jump, 4 stale: the document, 5 tick, 6 unknown account,
--       7 invalid key, 9 status '<B', 10 conflict, 11 too old, 12 ended '<B' state, 13 rate limited '<Bi7' (which,
--       when), 14 slots full '<B' (which; 255: open charges), 15 cap exceeded '<BBi7' (which, period, used),
--       16 insufficient '<i7i7i7i7' (available, held, freed at, refill at), 19 invalid '<Hc0', 20 newer '<Hc0',
--       21 restricted '<i7' until
-- checks the id, due work, age, document's version, periods and window, status, restriction, key, allowances,
--       rates, slots, caps, balance
-- writes account, open, charge; indexes where a moment comes sooner; stream, open and lapsed for due work

local CHARGE = KEYS[10]
local CALL_AT = 5
local CALL = '<Bc0i7i7i7i7i7i7c6B'
local AGE_MS = 600000
local NO_PERIOD = 255
local KEY_BYTES = 16
local ALLOWANCES_MAX = 16
local PLAN, FREE = 1, 5
local OPEN_MAX = 4096
local FORGET_MS = 5356800000

local r = { charge = '', fingerprint = '', key = '', document = 0, born = 0, held = 0, lease_ms = 0,
  timeout = 0, reconcile = 0, max_debt = NONE, kept_ms = 0, on_unknown = 0, over_run = 0, kind = '', route = '',
  has_feature = 0, feature = '', has_member = 0, member = '', rest = '', note = '', ranks = '', from = 0,
  ends = 0, flags = 0 }
local at
r.charge, r.document, r.born, r.lease_ms, r.kept_ms, r.from, r.ends, r.ranks, r.flags, at =
  unpack(CALL, ARGV[2], CALL_AT)
at = read_said(r, r.flags, ARGV[2], at)
r.rest, r.note, at = unpack(TWO_TEXTS, ARGV[2], at)

local rates, slots, caps, allowances = {}, {}, {}, {}
-- Whether the values of the call hold now.
local fits

-- Which of two periods contains now.
local function current(start, ends, next_start, next_ends)
  if start <= now and now < ends then return 0 end
  if next_start <= now and now < next_ends then return 1 end
  fits = false
  return NO_PERIOD
end

-- Reads what the call says of allowances, each with the period that contains now.
local function read_allowances(n)
  for i = 1, n do
    local name, kind, class, priority, amount, when, extra, carries, behind = unpack('<Bc0Bc0BBi7BHc0B', ARGV[2], at)
    local min, max, percent, kept_until, next_until = 0, 0, 0, 0, 0
    if carries == 1 then
      min, max, percent, kept_until, next_until, behind = unpack('<i7i7Bi7i7', ARGV[2], behind)
    end
    local bucket, period, start, ends, next_bucket, next_period, next_start, next_ends, next_at =
      unpack('<Bc0Bc0i7i7Bc0Bc0i7i7', ARGV[2], behind)
    at = next_at
    if current(start, ends, next_start, next_ends) == 1 then
      bucket, period, start, ends, kept_until = next_bucket, next_period, next_start, next_ends, next_until
    end
    allowances[i] = { name = name, kind = kind, class = class, priority = priority, amount = amount, when = when,
      extra = extra, carries = carries, min = min, max = max, percent = percent, kept_until = kept_until,
      bucket = bucket, period = period, start = start, ends = ends }
  end
end

-- Reads the lists behind CALL, when the time is known.
local function read_gates()
  fits = r.from <= now and now < r.ends
  local n
  n, at = unpack('<H', ARGV[2], at)
  for i = 1, n do
    local key, interval, burst, behind = unpack('<Hc0i7i7', ARGV[2], at)
    rates[i], at = { key = key, interval = interval, burst = burst }, behind
  end
  n, at = unpack('<H', ARGV[2], at)
  for i = 1, n do
    local scope, limit, behind = unpack('<Hc0I4', ARGV[2], at)
    slots[i], at = { scope = scope, limit = limit }, behind
  end
  n, at = unpack('<H', ARGV[2], at)
  for i = 1, n do
    local key, counts, limit, refundable, period, start, ends, next_period, next_start, next_ends, behind =
      unpack('<Hc0Bi7BBc0i7i7Bc0i7i7', ARGV[2], at)
    local which = current(start, ends, next_start, next_ends)
    if which == 1 then period, ends = next_period, next_ends end
    caps[i], at = { key = key, counts = counts, limit = limit, refundable = refundable, which = which,
      period = period, ends = ends }, behind
  end
  n, at = unpack('<H', ARGV[2], at)
  if n > 0 then read_allowances(n) end
end

-- What a cap has counted in its period.
local function used_of(cap)
  local counter = cap.which ~= NO_PERIOD and find_counter(cap.key)
  if not counter then return 0 end
  for _, s in ipairs(counter.spans) do
    if s.period == cap.period then return s.used end
  end
  return 0
end

local function answer(o)
  local parts = { pack('<i7i7i7H', available_for(o), held_of(o.kind), o.lease_end, #o.legs), write_legs(o.legs) }
  for _, cap in ipairs(caps) do parts[#parts + 1] = pack('<Bi7', cap.which, used_of(cap)) end
  for _, slot in ipairs(slots) do parts[#parts + 1] = pack('<I4', used_slots(slot.scope)) end
  return reply(APPLIED, table.concat(parts))
end

-- Refuses an id that has ended, or that is known with another content.
local function recognise(e, o)
  local known = e and core_of(e) or o
  if known and known.fingerprint ~= r.fingerprint then return reply(CONFLICT) end
  if e then return reply(ENDED, pack('<B', e.state)) end
  return nil
end

local function check_caller()
  if account.document ~= r.document or not fits then return reply(STALE, call('GET', DOCUMENT) or '') end
  if account.status ~= ACTIVE then return reply(ACCOUNT_STATUS, pack('<B', account.status)) end
  if account.restricted > now then return reply(RESTRICTED, pack('<i7', account.restricted)) end
  for i = 1, #account.keys, KEY_BYTES do
    if string.sub(account.keys, i, i + KEY_BYTES - 1) == r.key then return nil end
  end
  return reply(INVALID_KEY)
end

-- The order in which classes pay is the call's.
local function adopt_ranks()
  if r.ranks == account.ranks then return nil end
  account.ranks = r.ranks
  table.sort(account.purses, draws_before)
  return nil
end

-- The period that has begun gets its bucket, unless there is one of this id: then the period's was given.
local function begin(allowance)
  if allowance.bucket == '' then
    return told(INVALID, "an allowance's name with its period is at most 119 characters")
  end
  local kept = {}
  for _, s in ipairs(account.allowances) do
    if s.name ~= allowance.name and s.ends > now then kept[#kept + 1] = s end
  end
  kept[#kept + 1] = { name = allowance.name, period = allowance.period, ends = allowance.ends,
    amount = allowance.amount }
  account.allowances = kept
  if find(allowance.bucket) then return nil end
  local extra = allowance.extra
  if allowance.carries == 1 then
    -- The last byte of EXTRA says that nothing carries over.
    local before = extra == '' and '\000\000\000' or string.sub(extra, 1, #extra - 1)
    extra = before .. pack('<Bi7i7Bi7', 1, allowance.min, allowance.max, allowance.percent, allowance.kept_until)
  end
  repay(make_purse(allowance.bucket, allowance.kind, allowance.class, allowance.amount, allowance.priority,
    allowance.start, allowance.ends, extra))
  return nil
end

-- Where an allowance stands whose period is not over.
local function running(allowance)
  for _, s in ipairs(account.allowances) do
    if s.name == allowance.name then return s.ends > now and s or nil end
  end
  return nil
end

-- Makes the bucket of a period that has begun, once; one that is there already runs to its end, and grows.
local function touch(allowance)
  local s = running(allowance)
  if not s then return begin(allowance) end
  local more = allowance.amount - s.amount
  if more <= 0 then return nil end
  local p = find(s.name .. '@' .. s.period)
  if not p then return nil end
  -- Days, weeks and months are as long as each other among themselves. Another length begins when what runs is over.
  local one, other = s.ends - p.effective, allowance.ends - allowance.start
  if 2 * math.min(one, other) <= math.max(one, other) then return nil end
  s.amount = allowance.amount
  if p.standing == ACTIVE then
    grow(p, 'available', more)
    repay_up_to(p, more)
  end
  return nil
end

-- Those that are only for when everything else is used up are left alone, unless they run.
local function touch_allowances()
  if #allowances > ALLOWANCES_MAX then return told(INVALID, 'at most 16 allowances') end
  for _, allowance in ipairs(allowances) do
    if allowance.amount > 0 then
      if allowance.class ~= PLAN and allowance.class ~= FREE then
        return told(INVALID, 'an allowance is of the class plan or free')
      end
      local refused = (allowance.when == 0 or running(allowance)) and touch(allowance)
      if refused then return refused end
    end
  end
  return nil
end

-- Makes the buckets that the request needs beside everything else.
local function touch_exhausted()
  for _, allowance in ipairs(allowances) do
    local useful = allowance.when == 1 and allowance.amount > 0 and allowance.kind == r.kind
      and (allowance.extra == '' or is_for(allowance.extra, r))
    if useful and available_for(r) < r.held then
      local refused = touch(allowance)
      if refused then return refused end
    end
  end
  return nil
end

-- Lets the request pass every rate limit (GCRA).
local function pass_rates()
  local function find_pace(key)
    for _, p in ipairs(account.paces) do
      if p.key == key then return p end
    end
    return nil
  end

  local now_us, live = now * MILLI, {}
  for _, p in ipairs(account.paces) do
    if p.tat > now_us then live[#live + 1] = p end
  end
  account.paces = live
  for i, rate in ipairs(rates) do
    local pace = find_pace(rate.key)
    local tat = math.min(math.max(pace and pace.tat or 0, now_us), now_us + rate.burst)
    local earliest = math.max(0, tat + rate.interval - rate.burst)
    if earliest > now_us then
      local part = earliest % MILLI
      local retry_at = (earliest - part) / MILLI + (part > 0 and 1 or 0)
      return reply(RATE_LIMITED, pack('<Bi7', i - 1, retry_at))
    end
    if not pace then
      pace = { key = rate.key }
      account.paces[#account.paces + 1] = pace
    end
    pace.tat = tat + rate.interval
  end
  return nil
end

local function pass_slots()
  local ALL_OPEN = 255
  if account.open >= OPEN_MAX then return reply(SLOTS_FULL, pack('<B', ALL_OPEN)) end
  for i, slot in ipairs(slots) do
    if used_slots(slot.scope) >= slot.limit then return reply(SLOTS_FULL, pack('<B', i - 1)) end
  end
  return nil
end

local function pass_caps()
  for i, cap in ipairs(caps) do
    if cap.counts == 1 then
      local used = used_of(cap)
      -- A limit as large as counts get never refuses.
      if math.min(used + weight(cap.key, r.held), MAX) > cap.limit then
        return reply(CAP_EXCEEDED, pack('<BBi7', i - 1, cap.which, used))
      end
    end
  end
  return nil
end

local function pass_balance()
  local available = available_for(r)
  if available >= r.held then return nil end
  local SOON_MS = 60000
  local FREED_MAX = 512

  -- When the hold will have ended at the latest, if that gives credits back.
  local function ends_at(o)
    if o.unknown == 0 then return math.max(o.begun + o.timeout, now + 1) end
    if o.on_unknown == ON_RELEASE and o.deadline ~= NONE then return math.max(o.deadline, now + 1) end
    return nil
  end

  local function returns_at(o, moment)
    local back = 0
    for _, leg in ipairs(o.legs) do
      local p = find(leg.bucket)
      if p and pays(p, r, moment) then back = back + leg.amount end
    end
    return back
  end

  -- When holds that end within a minute will have freed enough; an account with very many is not searched.
  local function freed_at(available)
    if account.open > FREED_MAX then return NONE end
    local ends = {}
    for _, head in pairs(open_charges()) do
      local o = whole(head)
      local moment = o.kind == r.kind and ends_at(o)
      if moment and moment - now <= SOON_MS then ends[#ends + 1] = { at = moment, open = o } end
    end
    table.sort(ends, function(a, b)
      if a.at ~= b.at then return a.at < b.at end
      return precedes(a.open.charge, b.open.charge)
    end)
    local there = available
    for _, e in ipairs(ends) do
      there = there + returns_at(e.open, e.at)
      if there >= r.held then return e.at end
    end
    return NONE
  end

  -- When an allowance that may pay for this comes next: when what runs of it is over.
  local function refill_at()
    local soonest = NONE
    for _, allowance in ipairs(allowances) do
      local useful = allowance.when == 0 and allowance.amount > 0 and allowance.kind == r.kind
        and (allowance.extra == '' or is_for(allowance.extra, r))
      local s = useful and running(allowance)
      if s and (soonest == NONE or s.ends < soonest) then soonest = s.ends end
    end
    return soonest
  end

  return reply(INSUFFICIENT, pack('<i7i7i7i7', available, held_of(r.kind), freed_at(available), refill_at()))
end

-- Counts the charge in every cap that counts its kind.
local function count_in_caps()
  -- Drops counters that nothing will correct or ask for any more.
  local function forget_counters()
    local kept = {}
    for _, c in ipairs(account.counters) do
      local lives = false
      for _, s in ipairs(c.spans) do lives = lives or s.ends + FORGET_MS > now end
      if lives then kept[#kept + 1] = c end
    end
    account.counters = kept
  end

  -- The counter's span of this period; a new one pushes out the one before the previous.
  local function span_of(cap)
    local counter = find_counter(cap.key)
    if not counter then
      counter = { key = cap.key, spans = {} }
      account.counters[#account.counters + 1] = counter
    end
    for _, s in ipairs(counter.spans) do
      if s.period == cap.period then return s end
    end
    if #counter.spans >= 2 then table.remove(counter.spans, 1) end
    counter.spans[#counter.spans + 1] = { period = cap.period, ends = cap.ends, used = 0 }
    return counter.spans[#counter.spans]
  end

  forget_counters()
  local counted = {}
  for _, cap in ipairs(caps) do
    if cap.counts == 1 then
      local amount = weight(cap.key, r.held)
      local span = span_of(cap)
      span.used = math.min(span.used + amount, MAX)
      counted[#counted + 1] = { key = cap.key, period = cap.period, amount = amount, refundable = cap.refundable }
    end
  end
  return counted
end

local function make_hold()
  local legs = draw(r, r.held, 'held')
  local o = { charge = r.charge, unknown = 0, lease_end = math.min(now + r.lease_ms, MAX), deadline = NONE,
    on_unknown = r.on_unknown, over_run = r.over_run, begun = now, timeout = r.timeout,
    reconcile = r.reconcile, held = r.held, max_debt = r.max_debt, fingerprint = r.fingerprint, key = r.key,
    kind = r.kind, route = r.route, has_feature = r.has_feature, feature = r.feature,
    has_member = r.has_member, member = r.member, legs = legs,
    counted = count_in_caps(), rest = r.rest, note = r.note, explanation = '', later = '' }
  adjust_slots(o, 1)
  account.open = account.open + 1
  expect_at(o.lease_end)
  return o
end

local function write(o)
  local record = prepare('r', due_ends(r.kept_ms))
  put(r.kept_ms)
  put_due(r.kept_ms)
  if o then
    call('HSET', OPEN, o.charge, write_open(o))
  end
  call('SET', ACCOUNT, record)
end

-- What is known of the charge: its tombstone, or the open charge.
local function seen(bytes)
  local open = call('HGET', OPEN, r.charge)
  if open then return nil, read_open(r.charge, open) end
  local e = known_end(r.charge, bytes, r.kept_ms)
  if e and e.account ~= account_id then return 'another', nil end
  return e, nil
end

local stored = before or call('MGET', EPOCH, ACCOUNT, CHARGE)
local no = look_at_clock(stored[1]) or read_account(stored[2])
if no then return no end
read_gates()
local tomb, open = seen(stored[3])
if tomb == 'another' then return reply(CONFLICT) end
no = recognise(tomb, open)
if no then return no end
if may_be_due() then
  no = due_rules().catch_up()
  if no then return no end
  no = recognise(ended_now[r.charge], nil)
  if no then return no end
  -- Due work may have changed it.
  open = open and opens and opens[r.charge] and whole(opens[r.charge]) or open
end
if open then
  if not DRY and work_done then write(nil) end
  return answer(open)
end
if now - r.born > AGE_MS then return reply(TOO_OLD) end
if r.born - now > AGE_MS then
  return told(INVALID, "the charge's id was made in the future: set the caller's clock")
end
no = check_caller() or adopt_ranks() or touch_allowances() or touch_exhausted() or pass_rates() or pass_slots() or pass_caps() or pass_balance()
if no then return no end
local o = make_hold()
if opens then opens[o.charge] = o end
if DRY then return answer(o) end
write(o)
return answer(o)
