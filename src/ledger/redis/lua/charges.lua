-- Open charges and tombstones as bytes, slots, what caps counted. Included by verbs about charges.
--
-- An open charge is a field of the account's hash by its id. Its first 9 bytes have fixed places, so that a renewal
-- need not read the rest.
-- FLAGS of it: whether its outcome is unknown, whether it has a deadline, whether an over-run may become debt, what
-- ends it, whether it has a bound of debt, a feature, a member. What flags say that it does not have is not there.

local SETTLED, RELEASED = 2, 3
local ON_RELEASE, ON_CHARGE, ON_HOLD = 0, 1, 2
local OPEN_HEAD = '<BBi7'
local OF_DEADLINE, OF_OVER_RUN, OF_ON_UNKNOWN, ON_UNKNOWNS = 2, 4, 8, 4
local OF_MAX_DEBT, OF_FEATURE, OF_MEMBER = 32, 64, 128
local SAID = '<i7i7i7c32c16Bc0Bc0'
local TWO_TEXTS = '<Hc0Hc0'
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

local function flags_of(o)
  return o.unknown + (o.deadline ~= NONE and OF_DEADLINE or 0) + OF_OVER_RUN * o.over_run
    + OF_ON_UNKNOWN * o.on_unknown + (o.max_debt ~= NONE and OF_MAX_DEBT or 0)
    + (o.has_feature == 1 and OF_FEATURE or 0) + (o.has_member == 1 and OF_MEMBER or 0)
end

-- What was said of a charge when it was reserved, as a call and its record have it; the answer is where it ends.
local function read_said(o, flags, bytes, at)
  o.over_run, o.on_unknown = math.floor(flags / OF_OVER_RUN) % 2, math.floor(flags / OF_ON_UNKNOWN) % ON_UNKNOWNS
  o.has_feature, o.has_member = math.floor(flags / OF_FEATURE) % 2, math.floor(flags / OF_MEMBER)
  o.held, o.timeout, o.reconcile, o.fingerprint, o.key, o.kind, o.route, at = unpack(SAID, bytes, at)
  if math.floor(flags / OF_MAX_DEBT) % 2 == 1 then o.max_debt, at = unpack('<i7', bytes, at) end
  if o.has_feature == 1 then o.feature, at = unpack('<Bc0', bytes, at) end
  if o.has_member == 1 then o.member, at = unpack('<Bc0', bytes, at) end
  return at
end

local function read_open(charge, bytes)
  check_version(charge, bytes)
  local _, flags, lease_end, at = unpack(OPEN_HEAD, bytes)
  local o = { charge = charge, unknown = flags % 2, lease_end = lease_end, deadline = NONE, on_unknown = 0,
    over_run = 0, begun = 0, timeout = 0, reconcile = 0, held = 0, max_debt = NONE, fingerprint = '', key = '',
    kind = '', route = '', has_feature = 0, feature = '', has_member = 0, member = '', legs = false, counted = {},
    rest = '', note = '', explanation = '', later = '' }
  local n
  if math.floor(flags / OF_DEADLINE) % 2 == 1 then o.deadline, at = unpack('<i7', bytes, at) end
  o.begun, at = unpack('<i7', bytes, at)
  n, at = unpack('<H', bytes, read_said(o, flags, bytes, at))
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
  local parts = { pack(OPEN_HEAD, VERSION, flags_of(o), o.lease_end),
    o.deadline ~= NONE and pack('<i7', o.deadline) or '', pack('<i7', o.begun),
    pack(SAID, o.held, o.timeout, o.reconcile, o.fingerprint, o.key, #o.kind, o.kind, #o.route, o.route),
    o.max_debt ~= NONE and pack('<i7', o.max_debt) or '',
    o.has_feature == 1 and pack('<Bc0', #o.feature, o.feature) or '',
    o.has_member == 1 and pack('<Bc0', #o.member, o.member) or '', pack('<H', short(#o.legs)), write_legs(o.legs),
    pack('<H', short(#o.counted)) }
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

local function read_tomb(charge, bytes)
  check_version(charge, bytes)
  local e, n, at = { charge = charge }, nil, nil
  _, e.state, e.by_deadline, e.late, e.at, e.actual, e.charged, e.returned, e.debt, e.absorbed, e.account,
    e.refunds, n, at = unpack(TOMB, bytes)
  e.legs, at = read_legs(bytes, at, n)
  e.core, at = unpack('<I4c0', bytes, at)
  e.texts = string.sub(bytes, at)
  return e
end

-- How a charge has ended that is still remembered: by its tombstone, or because a deadline came, which the second
-- answer says.
local function known_end(charge, tomb, kept_ms)
  local e = tomb and read_tomb(charge, tomb)
  if e and e.at + kept_ms > now then return e, false end
  local lapsed = call('HGET', LAPSED, charge)
  e = lapsed and read_tomb(charge, lapsed)
  if e and e.at + kept_ms > now then return e, true end
  return nil, false
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
    local flags, behind
    _, flags, o.lease_end, behind = unpack(OPEN_HEAD, o.bytes)
    o.unknown, o.deadline = flags % 2, NONE
    if math.floor(flags / OF_DEADLINE) % 2 == 1 then o.deadline = unpack('<i7', o.bytes, behind) end
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
