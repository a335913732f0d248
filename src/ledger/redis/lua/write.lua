-- Writing an account back: buckets that are used up leave the usual path, the record is checked and
-- packed, indexes and the stream get theirs.
--
-- Order: `prepare` computes and checks everything; `put` writes indexes, which are hints, and the stream;
-- then the verb writes its own keys, whose types it has seen; the record comes last.
--
-- Entry of the stream: '<Bc1i7i7Hc0' version, verb, sequence, time, account; then postings, new buckets,
-- ended charges, and what the verb adds.

local LISTED_MS = 2592000000
local DEAD_MAX = 128
-- How often names of records that are gone are dropped from the history.
local TRIM_EVERY = 64

local entry
local history = {}
local lease_moved, wake_moved, wake_exact = false, false, false
-- Whether only the indexes are put right: then no time has been written with.
local bookkeeping = false

-- A lease lapses or a deadline comes then: the index may only be too early.
local function expect_at(at)
  if at ~= NONE and (account.lease_next == NONE or at < account.lease_next) then
    account.lease_next, lease_moved = at, true
  end
end

local function age_of(p)
  return math.max(p.touched, p.expires)
end

-- Whether it is what is owed for a purchase whose payment failed. Debts of charges remember their hold.
local function is_reversal(p)
  return p.class == DEBT and p.hold == 0
end

-- How long it is listed once it is used up: what a failed payment may still ask for longer than others.
local function listed_ms(p)
  local REVERSIBLE_MS = 46656000000
  local OF_BONUS = '@bonus'
  if p.class == PURCHASED or is_reversal(p) or string.sub(p.id, -#OF_BONUS) == OF_BONUS then return REVERSIBLE_MS end
  return LISTED_MS
end

-- Archives what has been used up for long, and the oldest of too many. What is owed for a purchase is listed as long
-- as the purchase.
local function archive()
  local TOUCHED_MS = 7200000
  local BURIED_MS = 172800000
  local OF_DEBT = 'debt:'

  local function read_archive(bytes)
    local n, at = unpack('<H', bytes)
    local sums = {}
    for i = 1, n do
      local s = {}
      s.kind, s.granted, s.spent, s.expired, s.voided, at = unpack('<Bc0i7i7i7i7', bytes, at)
      sums[i] = s
    end
    return sums, string.sub(bytes, at)
  end

  local function write_archive(sums, later)
    table.sort(sums, function(a, b) return precedes(a.kind, b.kind) end)
    local parts = { pack('<H', #sums) }
    for _, s in ipairs(sums) do
      parts[#parts + 1] = pack('<Bc0i7i7i7i7', #s.kind, s.kind, s.granted, s.spent, s.expired, s.voided)
    end
    return table.concat(parts) .. later
  end

  -- Adds a bucket to the sums of its kind; false if they would be too large.
  local function add_up(sums, p)
    local found
    for _, s in ipairs(sums) do
      if s.kind == p.kind then found = s end
    end
    if not found then
      found = { kind = p.kind, granted = 0, spent = 0, expired = 0, voided = 0 }
      sums[#sums + 1] = found
    end
    if found.granted + p.granted > MAX then return false end
    for _, column in ipairs({ 'granted', 'spent', 'expired', 'voided' }) do
      found[column] = found[column] + p[column]
    end
    return true
  end

  local ages, listed = {}, {}
  for _, p in ipairs(account.purses) do listed[p.id] = true end
  walk_dead(function(p)
    ages[#ages + 1], listed[p.id] = age_of(p), true
    return true
  end)
  table.sort(ages)
  local early = ages[#ages - DEAD_MAX] or NONE
  local sums, later = read_archive(account.rest)
  account.dead_next = NONE
  walk_dead(function(p)
    local age = age_of(p)
    local may_leave = (p.expires == NONE or p.expires + BURIED_MS <= now) and p.touched + TOUCHED_MS <= now
    local ends = age + listed_ms(p)
    local leaves = (ends <= now or (age <= early and may_leave))
      and not (is_reversal(p) and listed[string.sub(p.id, #OF_DEBT + 1)])
    if leaves and add_up(sums, p) then return false end
    if account.dead_next == NONE or ends < account.dead_next then account.dead_next = ends end
    return true
  end)
  account.rest = write_archive(sums, later)
end

-- Checks every bucket; those that are used up leave the usual path. The answer is how many the others are, their
-- numbers, and what stands behind the account's keys: their kinds, ids and tails.
local function pack_purses()
  local KINDS_MAX = 128
  local numbers, ids, tails, kinds, places, dead, next_wake = {}, {}, {}, {}, {}, {}, NONE
  for _, p in ipairs(account.purses) do
    check_purse(p)
    if p.available == 0 and p.held == 0 and p.fresh == 0 and not (p.class == DEBT and p.spent > 0) then
      dead[#dead + 1] = write_purse(p)
      local leaves = age_of(p) + listed_ms(p)
      if account.dead_next == NONE or leaves < account.dead_next then account.dead_next = leaves end
    else
      if not places[p.kind] then
        kinds[#kinds + 1] = pack('<Bc0', #p.kind, p.kind)
        places[p.kind] = #kinds - 1
      end
      local sort, tail = sort_and_tail(p)
      local only = p.extra ~= '' and string.byte(p.extra, 1) > 0
      numbers[#numbers + 1] = pack(NUMBERS, p.available, p.held, p.spent, p.touched, p.granted, p.effective, p.expires,
        sort, p.priority, places[p.kind] + (only and OF_ONLY or 0), p.no)
      ids[#numbers], tails[#numbers] = pack('<Bc0', #p.id, p.id), tail
      local wakes = p.fresh == 1 and p.effective or (p.available > 0 and p.expires or NONE)
      if p.standing == FROZEN then wakes = NONE end
      if wakes ~= NONE and (next_wake == NONE or wakes < next_wake) then next_wake = wakes end
    end
  end
  if #kinds > KINDS_MAX then broken('an account has buckets of too many kinds') end
  if #dead > 0 then
    account.dead = account.dead .. table.concat(dead)
    account.dead_count = account.dead_count + #dead
  end
  local sooner = next_wake ~= NONE and (account.wake_next == NONE or next_wake < account.wake_next)
  if sooner or (wake_exact and next_wake ~= account.wake_next) then
    account.wake_next, wake_moved = next_wake, true
  end
  return #numbers, table.concat(numbers),
    pack('<B', #kinds) .. table.concat(kinds) .. table.concat(ids) .. table.concat(tails)
end

local function pack_counters()
  local packed = {}
  for i, c in ipairs(account.counters) do
    local last, before = c.spans[#c.spans], #c.spans > 1 and c.spans[#c.spans - 1]
    packed[i] = pack(COUNTER, #c.key, c.key, #last.period, last.period, last.ends, last.used, before and 1 or 0)
    if before then
      packed[i] = packed[i] .. pack('<Bc0i7i7', #before.period, before.period, before.ends, before.used)
    end
  end
  local bytes = table.concat(packed)
  return pack('<I4H', #bytes, short(#packed)) .. bytes
end

local function pack_account()
  local n, numbers, middle = pack_purses()
  if account.open < 0 then broken('there are fewer open charges than none') end
  local leaves = account.dead_next ~= NONE and account.dead_next <= now
  if not bookkeeping and (account.dead_count > DEAD_MAX or leaves) then archive() end
  if not bookkeeping then account.mark = now end
  local names, used = {}, {}
  for i, s in ipairs(account.slots) do names[i], used[i] = pack('<Hc0', #s.scope, s.scope), pack('<I4', s.used) end
  names = table.concat(names)
  local parts = { pack(HEAD, VERSION, account.seq, account.mark, account.lease_next, account.open,
    short(#account.slots), short(#names), account.document, account.status, account.restricted, account.wake_next,
    account.next_no, account.dead_next, account.dead_count, account.lapsed_at, account.ranks, short(n),
    short(#account.keys), #middle), numbers, account.keys, middle, names, table.concat(used), pack_counters(),
    pack('<H', short(#account.paces)) }
  for _, p in ipairs(account.paces) do parts[#parts + 1] = pack('<Hc0i7', #p.key, p.key, p.tat) end
  local allowances = {}
  for i, s in ipairs(account.allowances) do
    allowances[i] = pack('<Bc0Bc0i7i7', #s.name, s.name, #s.period, s.period, s.ends, s.amount)
  end
  allowances = table.concat(allowances)
  parts[#parts + 1] = pack('<HH', short(#account.allowances), short(#allowances)) .. allowances
  parts[#parts + 1] = pack('<I4c0', #account.dead, account.dead)
  parts[#parts + 1] = account.rest
  return table.concat(parts)
end

-- What the stream is told, if anything that lasts has happened.
local function pack_entry(verb, ended_charges, more)
  if #postings == 0 and #made == 0 and #ended_charges == 0 then return nil end
  account.seq = account.seq + 1
  local parts = { pack('<Bc1i7i7Hc0', VERSION, verb, account.seq, now, #account_id, account_id),
    pack('<H', short(#postings)), table.concat(postings), pack('<H', short(#made)), table.concat(made),
    pack('<H', short(#ended_charges)) }
  for _, e in ipairs(ended_charges) do
    parts[#parts + 1] = pack('<Bc0I4c0', #e.charge, e.charge, #e.bytes, e.bytes)
  end
  parts[#parts + 1] = pack('<Hc0', #more, more)
  return table.concat(parts)
end

-- Everything that may still fail. The answer is the record as it will be written.
local function prepare(verb, ended_charges, more)
  entry = pack_entry(verb, ended_charges, more or '')
  for _, e in ipairs(ended_charges) do history[#history + 1] = e.charge end
  return pack_account()
end

-- Notes what has ended; now and then drops names of records that are gone, a bounded number at a time.
local function put_history(kept_ms)
  local BIRTH_MS = 86400000
  local TRIM_MAX = 1024

  -- The history names ended charges by id, which is by birth. One that ended long after its birth is there a
  -- second time by its end, so that it stays listed when ids of its age are dropped.
  local function late_name(at)
    return 'late:' .. string.format('%015.0f', at)
  end

  -- The least text of an id that was born then, or a moment before.
  local function id_at(time)
    local SYMBOLS = '0123456789abcdefghjkmnpqrstvwxyz'
    local BITS, SYMBOLS_OF_TIME, BASE = 8, 9, 32
    local text, rest = '', math.floor(math.max(time, 0) / BITS)
    for _ = 1, SYMBOLS_OF_TIME do
      local symbol = rest % BASE + 1
      text = string.sub(SYMBOLS, symbol, symbol) .. text
      rest = math.floor(rest / BASE)
    end
    return 'chg_' .. text
  end

  local function drop(from, to)
    local names = call('ZRANGEBYLEX', HISTORY, from, to, 'LIMIT', '0', digits(TRIM_MAX))
    if #names > 0 then call('ZREMRANGEBYLEX', HISTORY, from, '[' .. names[#names]) end
  end

  local young = id_at(now - BIRTH_MS)
  for _, charge in ipairs(history) do
    call('ZADD', HISTORY, '0', charge)
    if precedes(charge, young) then call('ZADD', HISTORY, '0', late_name(now) .. ':' .. charge) end
  end
  if account.seq % TRIM_EVERY < #history then
    drop('-', '(' .. id_at(now - kept_ms - BIRTH_MS))
    drop('(late:', '(' .. late_name(now - kept_ms))
  end
end

local function index(key, at)
  if at == NONE then call('ZREM', key, account_id) else call('ZADD', key, digits(at), account_id) end
end

local function put(kept_ms)
  if wake_exact then
    -- Indexes may move to a later moment: no key behind them may have another type.
    call('ZCARD', WAKES)
    call('ZCARD', HISTORY)
    call('XLEN', STREAM)
  end
  wrote = bookkeeping and 0 or 1
  if lease_moved then
    -- While there are open charges the account is found here, even if they are kept for ever.
    local at = account.lease_next
    index(LEASES, (at == NONE and account.open > 0) and MAX or at)
  end
  if wake_moved then index(WAKES, account.wake_next) end
  if #history > 0 then put_history(kept_ms) end
  if entry then
    call('HLEN', OPEN)
    call('XADD', STREAM, '*', 'e', entry)
  end
end
