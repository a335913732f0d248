-- What every verb about an account shares: the time, the account's record, postings, writing.
--
-- KEYS  1 epoch  2 account  3 document  4 open  5 lapsed  6 history  7 leases  8 wakes  9 stream
-- ARGV  1 frame: '<Bi7Bi7Bc0' version, caller's clock, flags (1: within grace), test clock (-1: none),
--         the account's id
-- reply one string: '<BBi7Bi7' version, status, time, flags (1: something was written, 2: within grace), the
--       number of the account's last entry (-1: it was not read); then the status's own
--
-- Record of an account: HEAD; NUMBERS of each bucket in draw order by the ranks of HEAD; its keys; of the buckets
-- their kinds, ids and tails; slots; counters; paces; allowances; buckets that are used up; archive; and bytes of later
-- versions, which are kept as they are. What every request changes stands in front, at places that are known.
-- TAIL of a bucket: RARE if it has rare numbers, MORE if it has more, each as its SORT says.
-- EXTRA of a purse: nothing; or '<B' names that it is only for of '<Bc0', '<Bc0' the bucket that it came with,
-- '<B' and if it was paid for '<i7c3' amount, currency, '<B' and if some of it carries over '<i7i7Bi7' min, max,
-- percent, until.
--
-- Invariant: nothing is written before the last thing that can fail.
-- Invariant: amounts are whole micro-credits below 2^53; a number leaves as packed bytes or by `digits`.
-- Invariant: strings are compared byte by byte; `<` would follow the server's locale.

local EPOCH, ACCOUNT, DOCUMENT, OPEN, LAPSED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local HISTORY, LEASES, WAKES, STREAM = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local call, pack, unpack = redis.call, struct.pack, struct.unpack

local VERSION = 4
local MAX = 9007199254740991
local NONE = -1
local MILLI = 1000
local GRACE = 2
local JUMP_MS = 300000
local STALE_CALL_MS = 5000

local APPLIED, LOST, CLOCK_JUMP, STALE, TICK = 0, 1, 3, 4, 5
local UNKNOWN_ACCOUNT, INVALID_KEY, UNKNOWN_CHARGE, ACCOUNT_STATUS, CONFLICT = 6, 7, 8, 9, 10
local TOO_OLD, ENDED, RATE_LIMITED, SLOTS_FULL, CAP_EXCEEDED = 11, 12, 13, 14, 15
local INSUFFICIENT, EXISTS, TOO_MANY, INVALID, NEWER = 16, 17, 18, 19, 20
local RESTRICTED = 21

local ACTIVE, CLOSED = 0, 2
local FROZEN, VOIDED = 1, 2
local ROLLOVER, GOODWILL, BONUS, PURCHASED, DEBT = 0, 2, 3, 4, 6

local HEAD = '<Bi7i7i7I4HHi7Bi7i7i7i7I4i7c6HHI4'
local NUMBERS = '<i7i7i7i7i7i7i7BBBI4'
local COUNTER = '<Hc0Bc0i7i7B'
local PURSE = '<Bc0Bc0BBi7i7i7i7i7i7i7I4'
-- SORT of a purse: its class, whether it is fresh, whether it has MORE, whether it has RARE numbers, its standing.
local CLASSES, OF_FRESH, OF_MORE, OF_RARE, OF_STANDING = 8, 8, 16, 32, 64
-- Added to the number of a bucket's kind: it is only for some routes or features.
local OF_ONLY = 128
local RARE = '<i7i7i7'
local MORE = '<Hc0H'
local EPOCH_RECORD = '<BBc16i8i8'

local now, grace, wrote = 0, false, 0
local account_id
local _ -- what is read and not looked at
local account
local postings, made = {}, {}
local NOTHING = {}

local function digits(n)
  return string.format('%.0f', n)
end

local function reply(status, body)
  local flags, last = wrote + (grace and GRACE or 0), account and account.seq or NONE
  return pack('<BBi7Bi7', VERSION, status, now, flags, last) .. (body or '')
end

local function told(status, text)
  return reply(status, pack('<Hc0', #text, text))
end

-- A record contradicts itself: nothing has been written yet, and nothing will be.
local function broken(what)
  error({ err = 'BROKEN ' .. what })
end

-- A newer program has written a record: this one leaves it alone, and nothing has been written yet.
local function newer(what)
  error({ err = 'NEWER ' .. what })
end

-- An earlier program has made the ledger: its records cannot be read any more.
local function older()
  broken('the ledger was made by an earlier version: make a new ledger')
end

-- The length of a list, which its record keeps in two bytes.
local function short(length)
  local SHORT_MAX = 65535
  if length > SHORT_MAX then broken('a list is too long for its record') end
  return length
end

local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- The time and whether it may be believed; a refusal if not. `record` is the partition's epoch.
local function look_at_clock(record)
  local _, clock, flags, test_clock, id = unpack('<Bi7Bi7Bc0', ARGV[1])
  account_id = id
  if not record then return reply(LOST) end
  local version, test, _, grace_until = unpack(EPOCH_RECORD, record)
  if version < VERSION then older() end
  if version > VERSION then return told(NEWER, 'the epoch') end
  if test == 1 and test_clock ~= NONE then
    now, grace = test_clock, flags == 1
    return nil
  end
  now = time_before
  if not now then
    local time = call('TIME')
    now = time[1] * MILLI + math.floor(time[2] / MILLI)
  end
  if math.abs(now - clock) > JUMP_MS then return reply(CLOCK_JUMP) end
  -- A call that lay in a socket while the server hung must not end what could not be renewed meanwhile.
  grace = now < grace_until or now - clock > STALE_CALL_MS
  return nil
end

-- Tables are made with all their fields at once: growing them costs more than the rest.
local function new_purse(id, kind, sort, priority, effective, expires, granted, available, held, spent, touched, no)
  return { id = id, kind = kind, class = sort % CLASSES, priority = priority,
    fresh = math.floor(sort / OF_FRESH) % 2, standing = math.floor(sort / OF_STANDING),
    effective = effective, expires = expires, granted = granted, available = available, held = held,
    spent = spent, expired = 0, voided = 0, touched = touched, hold = 0, no = no, extra = '', repaid_by = false }
end

-- Reads what most buckets do not have; the answer is where it ends.
local function read_tail(p, sort, bytes, at)
  if math.floor(sort / OF_RARE) % 2 == 1 then p.expired, p.voided, p.hold, at = unpack(RARE, bytes, at) end
  local repaid = 0
  if math.floor(sort / OF_MORE) % 2 == 1 then p.extra, repaid, at = unpack(MORE, bytes, at) end
  if repaid > 0 then
    p.repaid_by = {}
    for i = 1, repaid do
      local leg = {}
      leg.bucket, leg.amount, at = unpack('<Bc0i7', bytes, at)
      p.repaid_by[i] = leg
    end
  end
  return at
end

local function read_purse(bytes, at)
  local id, kind, sort, priority, effective, expires, granted, available, held, spent, touched, no, behind =
    unpack(PURSE, bytes, at)
  local p = new_purse(id, kind, sort, priority, effective, expires, granted, available, held, spent, touched, no)
  return p, read_tail(p, sort, bytes, behind)
end

-- Its SORT and its TAIL.
local function sort_and_tail(p)
  local repaid = p.repaid_by or NOTHING
  local rare = p.expired > 0 or p.voided > 0 or p.hold > 0
  local more = p.extra ~= '' or #repaid > 0
  local sort = p.class + OF_STANDING * p.standing + OF_FRESH * p.fresh + (rare and OF_RARE or 0)
    + (more and OF_MORE or 0)
  local bytes = rare and pack(RARE, p.expired, p.voided, p.hold) or ''
  if more then bytes = bytes .. pack(MORE, #p.extra, p.extra, short(#repaid)) end
  for _, leg in ipairs(repaid) do
    bytes = bytes .. pack('<Bc0i7', #leg.bucket, leg.bucket, leg.amount)
  end
  return sort, bytes
end

local function write_purse(p)
  local sort, tail = sort_and_tail(p)
  return pack(PURSE, #p.id, p.id, #p.kind, p.kind, sort, p.priority, p.effective, p.expires, p.granted,
    p.available, p.held, p.spent, p.touched, p.no) .. tail
end

-- The buckets that are not used up; the answer is also where they end.
local function read_live(bytes, n, numbers_at, at)
  local purses, kinds, sorts, count = {}, {}, {}, nil
  count, at = unpack('<B', bytes, at)
  for i = 1, count do kinds[i], at = unpack('<Bc0', bytes, at) end
  for i = 1, n do
    local id, behind = unpack('<Bc0', bytes, at)
    local available, held, spent, touched, granted, effective, expires, sort, priority, kind, no, next_at =
      unpack(NUMBERS, bytes, numbers_at)
    purses[i] = new_purse(id, kinds[kind % OF_ONLY + 1], sort, priority, effective, expires, granted, available, held,
      spent, touched, no)
    sorts[i], at, numbers_at = sort, behind, next_at
  end
  for i = 1, n do at = read_tail(purses[i], sorts[i], bytes, at) end
  return purses, at
end

-- Reads an account's record into `account`; a refusal if this version cannot.
local function read_account(bytes)
  if not bytes then return reply(UNKNOWN_ACCOUNT) end
  local version = string.byte(bytes, 1) or 0
  if version < VERSION then older() end
  if version > VERSION then return told(NEWER, 'the account') end
  local _, seq, mark, lease_next, open, slots, names, document, status, restricted, wake_next, next_no, dead_next,
    dead_count, lapsed_at, ranks, n, keys, middle, numbers_at = unpack(HEAD, bytes)
  local NUMBERS_BYTES = 56
  local at = numbers_at + n * NUMBERS_BYTES
  local a = { seq = seq, mark = mark, document = document, status = status, restricted = restricted,
    lease_next = lease_next, wake_next = wake_next, open = open, next_no = next_no, dead_next = dead_next,
    dead_count = dead_count, lapsed_at = lapsed_at, ranks = ranks, keys = string.sub(bytes, at, at + keys - 1),
    purses = {}, slots = {}, counters = {}, paces = {}, allowances = {}, dead = '', rest = '' }
  local middle_at = at + keys
  a.purses, at = read_live(bytes, n, numbers_at, middle_at)
  if at ~= middle_at + middle then broken('buckets do not end where they should') end
  local used_at = at + names
  for i = 1, slots do
    local scope, used
    scope, at = unpack('<Hc0', bytes, at)
    used, used_at = unpack('<I4', bytes, used_at)
    a.slots[i] = { scope = scope, used = used }
  end
  _, n, at = unpack('<I4H', bytes, used_at)
  for i = 1, n do
    local key, period, ends, used, earlier, behind = unpack(COUNTER, bytes, at)
    local c = { key = key, spans = { { period = period, ends = ends, used = used } } }
    if earlier == 1 then
      period, ends, used, behind = unpack('<Bc0i7i7', bytes, behind)
      table.insert(c.spans, 1, { period = period, ends = ends, used = used })
    end
    a.counters[i], at = c, behind
  end
  n, at = unpack('<H', bytes, at)
  for i = 1, n do
    local key, tat, behind = unpack('<Hc0i7', bytes, at)
    a.paces[i], at = { key = key, tat = tat }, behind
  end
  n, _, at = unpack('<HH', bytes, at)
  for i = 1, n do
    local name, period, ends, amount, behind = unpack('<Bc0Bc0i7i7', bytes, at)
    a.allowances[i], at = { name = name, period = period, ends = ends, amount = amount }, behind
  end
  a.dead, at = unpack('<I4c0', bytes, at)
  a.rest = string.sub(bytes, at)
  if a.mark > now then now = a.mark end
  account = a
  return nil
end

-- Whether a bucket that is only for some routes or features is for this use.
local function is_for(extra, use)
  local n, at = unpack('<B', extra)
  if n == 0 then return true end
  for _ = 1, n do
    local name
    name, at = unpack('<Bc0', extra, at)
    if name == use.route or (use.has_feature == 1 and name == use.feature) then return true end
  end
  return false
end

-- Whether a bucket may pay at a moment for a use: a charge, or the call that would make one.
local function pays(p, use, moment)
  return p.standing == ACTIVE and p.class ~= DEBT and p.kind == use.kind and p.effective <= moment
    and (p.expires == NONE or p.expires > moment) and (p.extra == '' or is_for(p.extra, use))
end

-- What may be reserved for a use.
local function available_for(use)
  local total = 0
  for _, p in ipairs(account.purses) do
    if p.available > 0 and pays(p, use, now) then total = total + p.available end
  end
  return math.min(total, MAX)
end

-- What open charges hold of a kind.
local function held_of(kind)
  local total = 0
  for _, p in ipairs(account.purses) do
    if p.kind == kind then total = total + p.held end
  end
  return math.min(total, MAX)
end

-- The rank of a bucket's class; debt is never drawn and comes last.
local function rank(p)
  local DEBT_RANK = 255
  return p.class == DEBT and DEBT_RANK or string.byte(account.ranks, p.class + 1)
end

-- The draw order, which is total.
local function draws_before(p, q)
  local x, y = rank(p), rank(q)
  if x ~= y then return x < y end
  if p.priority ~= q.priority then return p.priority < q.priority end
  if p.expires ~= q.expires then return q.expires == NONE or (p.expires ~= NONE and p.expires < q.expires) end
  if p.effective ~= q.effective then return p.effective < q.effective end
  return precedes(p.id, q.id)
end

local function insert(p)
  local at = 1
  for i, q in ipairs(account.purses) do
    if draws_before(q, p) then at = i + 1 else break end
  end
  table.insert(account.purses, at, p)
end

-- Whether its end has come. A frozen bucket waits.
local function ended(p)
  return p.expires ~= NONE and p.expires <= now and p.standing ~= FROZEN
end

-- Walks buckets that are used up; `visit` says whether the bucket stays there.
local function walk_dead(visit)
  local at, kept, count = 1, {}, 0
  while at <= #account.dead do
    local from, p = at, nil
    p, at = read_purse(account.dead, at)
    if visit(p) then
      kept[#kept + 1] = string.sub(account.dead, from, at - 1)
      count = count + 1
    end
  end
  account.dead, account.dead_count = table.concat(kept), count
end

-- Brings a bucket that is used up back among the others, if it is there.
local function revive(id)
  if not string.find(account.dead, pack('<Bc0', #id, id), 1, true) then return nil end
  local found
  walk_dead(function(p)
    if p.id ~= id then return true end
    found = p
    return false
  end)
  if found then insert(found) end
  return found
end

local function find(id)
  for _, p in ipairs(account.purses) do
    if p.id == id then return p end
  end
  return revive(id)
end

local function purse_of(id)
  return find(id) or broken('there is no bucket ' .. id)
end

-- Moves an amount from one column of a bucket to another. Holds are not told to the stream: what is held
-- is part of what is available there.
local CODES = { available = 'a', held = 'h', spent = 's', expired = 'x', voided = 'v' }
local function post(p, from, to, amount)
  if amount == 0 then return end
  local less, more = p[from] - amount, p[to] + amount
  if less < 0 or more > MAX then broken(from .. ' of bucket ' .. p.id .. ' does not allow a posting') end
  p[from], p[to], p.touched = less, more, now
  if (from == 'available' or from == 'held') and (to == 'available' or to == 'held') then return end
  postings[#postings + 1] = pack('<Bc0c1c1i7', #p.id, p.id, CODES[from], CODES[to], amount)
end

-- More is granted into a column.
local function grow(p, to, amount)
  p.granted, p[to], p.touched = p.granted + amount, p[to] + amount, now
  if p.granted > MAX then broken('a sum of credits is out of range') end
  postings[#postings + 1] = pack('<Bc0c1c1i7', #p.id, p.id, 'g', CODES[to], amount)
end

-- A new bucket, all of it available.
local function make_purse(id, kind, class, amount, priority, effective, expires, extra)
  local ID_MAX, NO_MAX = 128, 4294967295
  if account.next_no > NO_MAX then broken('an account has made too many buckets') end
  if #id > ID_MAX then broken('the id ' .. id .. ' of a bucket is too long') end
  local p = { id = id, kind = kind, class = class, priority = priority, fresh = 0, standing = ACTIVE,
    effective = effective, expires = expires, granted = amount, available = amount, held = 0, spent = 0,
    expired = 0, voided = 0, touched = now, hold = 0, no = account.next_no, extra = extra, repaid_by = false }
  account.next_no = account.next_no + 1
  insert(p)
  made[#made + 1] = write_purse(p)
  postings[#postings + 1] = pack('<Bc0c1c1i7', #id, id, 'g', 'a', amount)
  return p
end

local function check_purse(p)
  local total = p.available + p.held + p.spent + p.expired + p.voided
  if total ~= p.granted or p.granted > MAX then broken('bucket ' .. p.id .. ' does not balance') end
  if p.available < 0 or p.held < 0 or p.spent < 0 or p.expired < 0 or p.voided < 0 then
    broken('a column of bucket ' .. p.id .. ' is negative')
  end
end
