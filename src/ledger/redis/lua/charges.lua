-- Open charges and tombstones as bytes, slots, what caps counted. Included by verbs about charges.
--
-- An open charge is a field of the account's hash by its id. Its first 16 bytes have fixed places, so
-- that a renewal need not read the rest.

local SETTLED, RELEASED = 2, 3
local ON_RELEASE, ON_CHARGE, ON_HOLD = 0, 1, 2
local OPEN_HEAD = '<BBi7i7BBi7i7i7i7i7c32c16Bc0Bc0BBc0BBc0H'
local TWO_TEXTS = '<Hc0Hc0'
local POINTER = '<BBHc0'
local TOMB = '<BBBBi7i7i7i7i7i7Hc0Hc0H'

local function read_legs(bytes, at, n)
  local legs = {}
  for i = 1, n do
    local bucket, amount, behind = unpack('<Bc0i7', bytes, at)
    legs[i], at = { bucket = bucket, amount = amount }, behind
  end
  return legs, at
end

local function write_legs(legs)
  local parts = {}
  for i, leg in ipairs(legs) do parts[i] = pack('<Bc0i7', #leg.bucket, leg.bucket, leg.amount) end
  return table.concat(parts)
end

-- Refuses the record of a charge that this version cannot read.
local function check_version(charge, bytes)
  local version = string.byte(bytes, 1) or 0
  if version > VERSION then newer('charge ' .. charge) end
  if version < VERSION then broken('charge ' .. charge .. ' has no version that is known') end
end

local function read_open(charge, bytes)
  check_version(charge, bytes)
  local _, unknown, lease_end, deadline, on_unknown, over_run, begun, timeout, reconcile, held, max_debt,
    fingerprint, key, kind, route, has_feature, feature, has_member, member, n, at = unpack(OPEN_HEAD, bytes)
  local o = { charge = charge, unknown = unknown, lease_end = lease_end, deadline = deadline,
    on_unknown = on_unknown, over_run = over_run, begun = begun, timeout = timeout, reconcile = reconcile,
    held = held, max_debt = max_debt, fingerprint = fingerprint, key = key, kind = kind, route = route,
    has_feature = has_feature, feature = feature, has_member = has_member, member = member, legs = false,
    counted = {}, rest = '', note = '', explanation = '', later = '' }
  o.legs, at = read_legs(bytes, at, n)
  n, at = unpack('<H', bytes, at)
  for i = 1, n do
    local cap, period, amount, refundable, behind = unpack('<Hc0Bc0i7B', bytes, at)
    o.counted[i], at = { key = cap, period = period, amount = amount, refundable = refundable }, behind
  end
  o.rest, o.note, o.explanation, at = unpack('<Hc0Hc0Hc0', bytes, at)
  o.later = string.sub(bytes, at)
  return o
end

-- The charge without what was said of it: what a tombstone keeps.
local function write_core(o)
  local parts = { pack(OPEN_HEAD, VERSION, o.unknown, o.lease_end, o.deadline, o.on_unknown, o.over_run,
    o.begun, o.timeout, o.reconcile, o.held, o.max_debt, o.fingerprint, o.key, #o.kind, o.kind, #o.route,
    o.route, o.has_feature, #o.feature, o.feature, o.has_member, #o.member, o.member, short(#o.legs)),
    write_legs(o.legs), pack('<H', short(#o.counted)) }
  for _, c in ipairs(o.counted) do
    parts[#parts + 1] = pack('<Hc0Bc0i7B', #c.key, c.key, #c.period, c.period, c.amount, c.refundable)
  end
  parts[#parts + 1] = pack('<Hc0', #o.rest, o.rest)
  return table.concat(parts)
end

local function write_open(o)
  return write_core(o) .. pack('<Hc0Hc0', #o.note, o.note, #o.explanation, o.explanation) .. o.later
end

local function write_tomb(e)
  return pack(TOMB, VERSION, e.state, e.by_deadline, e.late, e.at, e.actual, e.charged, e.returned, e.debt,
    e.absorbed, #e.account, e.account, #e.refunds, e.refunds, short(#e.legs)) .. write_legs(e.legs)
    .. pack('<I4c0', #e.core, e.core)
end

-- A tombstone, or the pointer that stands in its place while the charge is open (`state` is 0).
local function read_tomb(charge, bytes)
  check_version(charge, bytes)
  if string.byte(bytes, 2) == 0 then
    local _, _, owner = unpack(POINTER, bytes)
    return { state = 0, account = owner }
  end
  local e, n, at = { charge = charge }, nil, nil
  _, e.state, e.by_deadline, e.late, e.at, e.actual, e.charged, e.returned, e.debt, e.absorbed, e.account,
    e.refunds, n, at = unpack(TOMB, bytes)
  e.legs, at = read_legs(bytes, at, n)
  e.core, at = unpack('<I4c0', bytes, at)
  e.texts = string.sub(bytes, at)
  return e
end

-- The charge inside a tombstone; nil for an id that was closed before it was ever reserved.
local function core_of(e)
  if e.core == '' then return nil end
  return read_open(e.charge, e.core .. pack('<HH', 0, 0))
end

-- All open charges by id, fetched once. There may be thousands, of which a few are due: of each only the
-- bytes with fixed places are read, until `whole` is asked for the rest.
local opens
local function open_charges()
  if opens then return opens end
  opens = {}
  local all = call('HGETALL', OPEN)
  for i = 1, #all, 2 do
    local o = { charge = all[i], bytes = all[i + 1] }
    check_version(o.charge, o.bytes)
    _, o.unknown, o.lease_end, o.deadline = unpack('<BBi7i7', o.bytes)
    opens[o.charge] = o
  end
  return opens
end

local function whole(o)
  if not o.bytes then return o end
  local read = read_open(o.charge, o.bytes)
  opens[o.charge] = read
  return read
end

local function adjust_slot(scope, by)
  for i, s in ipairs(account.slots) do
    if s.scope == scope then
      s.used = s.used + by
      if s.used < 0 then broken('slots of ' .. scope .. ' are negative') end
      if s.used == 0 then table.remove(account.slots, i) end
      return
    end
  end
  if by < 0 then broken('no slots of ' .. scope) end
  account.slots[#account.slots + 1] = { scope = scope, used = by }
end

-- A slot for each thing that a limit may count over. Keys are counted by the 16 bytes of their ids.
local function adjust_slots(o, by)
  adjust_slot('account', by)
  adjust_slot('key:' .. o.key, by)
  adjust_slot('route:' .. o.route, by)
  if o.has_feature == 1 then adjust_slot('feature:' .. o.feature, by) end
  if o.has_member == 1 then adjust_slot('member:' .. o.member, by) end
end

local function used_slots(scope)
  for _, s in ipairs(account.slots) do
    if s.scope == scope then return s.used end
  end
  return 0
end

-- The next moment at which something happens to the charge.
local function next_of(o)
  if o.unknown == 1 then return o.deadline end
  return o.lease_end
end

-- Frees the slot and starts the time for which an unknown outcome is kept.
local function make_unknown(o)
  adjust_slots(o, -1)
  o.unknown = 1
  o.deadline = o.on_unknown == ON_HOLD and NONE or math.min(now + o.reconcile, MAX)
end

-- How much an amount counts for a cap: its key begins with its measure.
local function weight(key, amount)
  return string.sub(key, 1, 1) == 'r' and 1 or amount
end

local function find_counter(key)
  for _, c in ipairs(account.counters) do
    if c.key == key then return c end
  end
  return nil
end

local function correct_count(entry, amount)
  local counter = find_counter(entry.key)
  for _, s in ipairs(counter and counter.spans or {}) do
    if s.period == entry.period then
      s.used = math.min(math.max(0, s.used - entry.amount) + amount, MAX)
      break
    end
  end
  entry.amount = amount
end

local function recount(o, actual)
  for _, entry in ipairs(o.counted) do correct_count(entry, weight(entry.key, actual)) end
end

local function uncount(o)
  for _, entry in ipairs(o.counted) do
    if entry.refundable == 1 then correct_count(entry, 0) end
  end
end
