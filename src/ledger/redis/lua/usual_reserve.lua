-- reserve on its usual path: nothing is due, every gate lets the request pass, the periods run already. Written
-- straight and without a table for each thing, since nearly every request passes here; whatever is not usual is
-- left to the rules, before anything is written.
--
-- KEYS, ARGV, reply  as `reserve` says
-- writes account, open, charge; the index of leases where one lapses sooner
--
-- Invariant: what it writes and answers is, byte for byte, what the rules would write and answer.

-- Places of the record: the mark, the next lapse of a lease, the number of open charges; and behind a bucket's id
-- and kind its columns.
local BEFORE_MARK, BEHIND_MARK, BEFORE_LEASE, BEHIND_LEASE, BEFORE_OPEN, BEHIND_OPEN = 8, 16, 30, 38, 44, 49
local BEFORE_COLUMNS, NUMBER, TWO_NUMBERS, THREE_NUMBERS, FOUR_NUMBERS = 25, 7, 14, 21, 28

local call, pack, unpack, sub = redis.call, struct.pack, struct.unpack, string.sub
local _ -- what is read and not looked at
local stored = call('MGET', KEYS[1], KEYS[2], KEYS[10])
local record = stored[2]
if not stored[1] or not record or stored[3] or string.byte(record) ~= VERSION then return rules() end

local _, clock, grace, test_clock, account_id = unpack('<Bi7Bi7Bc0', ARGV[1])
local version, test, _, grace_until = unpack(EPOCH_RECORD, stored[1])
if version ~= VERSION then return rules() end
local now = test_clock
if test == 0 or now == NONE then
  local time = call('TIME')
  now = time[1] * MILLI + math.floor(time[2] / MILLI)
  if math.abs(now - clock) > JUMP_MS then return rules() end
  grace = (now < grace_until or now - clock > STALE_CALL_MS) and 1 or 0
end

local _, seq, mark, document, status, restricted, lease_next, wake_next, open, _, dead_next, dead_count, ranks, keys,
  n, at = unpack(HEAD, record)
if mark > now then now = mark end
if (wake_next ~= NONE and wake_next <= now) or (grace == 0 and lease_next ~= NONE and lease_next <= now)
  or (dead_next ~= NONE and dead_next <= now) or dead_count > DEAD_MAX or open >= OPEN_MAX
  or status ~= ACTIVE or restricted > now then
  return rules()
end

local asked = ARGV[2]
local charge, its_document, born, lease_ms, kept_ms, from, ends, its_ranks, on_unknown, over_run, said_at =
  unpack(CALL, asked)
local timeout, reconcile, amount, _, _, key, kind, route, has_feature, feature, has_member, member, said_end =
  unpack(SAID, asked, said_at)
local _, _, next_at = unpack(TWO_TEXTS, asked, said_end)
local texts_end = next_at
local key_at = string.find(keys, key, 1, true)
if its_document ~= document or its_ranks ~= ranks or now < from or now >= ends or now - born > AGE_MS
  or born - now > AGE_MS or not key_at or (key_at - 1) % KEY_BYTES ~= 0 then
  return rules()
end

-- Buckets in the order in which they pay. What changes of the record is written between what stays.
local parts, size, kept_from = {}, 0, BEHIND_OPEN
local need, available, held, legs, leg_count = amount, 0, 0, '', 0
for _ = 1, n do
  local start = at
  local id, its_kind, sort, _, effective, expires, granted, free, on_hold, spent, _, _, behind =
    unpack(PURSE, record, at)
  local class, standing, fresh = sort % OF_STANDING, math.floor(sort / OF_STANDING) % STANDINGS,
    math.floor(sort / OF_FRESH) % 2
  local expired, voided, extra, repaid = 0, 0, '', 0
  if math.floor(sort / OF_RARE) % 2 == 1 then expired, voided, _, behind = unpack(RARE, record, behind) end
  if sort >= OF_MORE then extra, repaid, behind = unpack(MORE, record, behind) end
  if free + on_hold + spent + expired + voided ~= granted or granted > MAX or free < 0 or on_hold < 0 or spent < 0
    or expired < 0 or voided < 0 then
    return rules()
  end
  local pays = its_kind == kind and free > 0 and standing == ACTIVE and class ~= DEBT and effective <= now
    and (expires == NONE or expires > now)
  if pays and extra ~= '' then
    local names, name_at = unpack('<B', extra)
    pays = names == 0
    for _ = 1, names do
      local name
      name, name_at = unpack('<Bc0', extra, name_at)
      pays = pays or name == route or (has_feature == 1 and name == feature)
    end
  end
  if pays and need > 0 then
    local take = free < need and free or need
    free, on_hold, need = free - take, on_hold + take, need - take
    local columns = start + #id + #its_kind + BEFORE_COLUMNS
    size = size + 1
    parts[size] = sub(record, kept_from, columns - 1) .. pack('<i7i7', free, on_hold)
      .. sub(record, columns + TWO_NUMBERS, columns + THREE_NUMBERS - 1) .. pack('<i7', now)
    kept_from = columns + FOUR_NUMBERS
    legs, leg_count = legs .. pack('<Bc0i7', #id, id, take), leg_count + 1
  end
  if free == 0 and on_hold == 0 and fresh == 0 and (class ~= DEBT or spent == 0) then return rules() end
  local wakes = standing ~= FROZEN and (fresh == 1 and effective or (free > 0 and expires)) or NONE
  if wakes ~= NONE and (wake_next == NONE or wakes < wake_next) then return rules() end
  if pays then available = available + free end
  if its_kind == kind then held = held + on_hold end
  at = behind
  for _ = 1, repaid do _, _, at = unpack('<Bc0i7', record, at) end
end
if need > 0 then return rules() end

-- Rates of the call. What the record keeps of them stands behind its counters.
local rate_count
rate_count, next_at = unpack('<H', asked, next_at)
local rates_at = next_at
for _ = 1, rate_count do _, _, _, next_at = unpack('<Hc0i7i7', asked, next_at) end

-- Slots: one for each thing that a limit may count over.
local scopes, places, used = {}, {}, {}
n, at = unpack('<H', record, at)
size = size + 1
parts[size] = sub(record, kept_from, at - 1 - 2)
for i = 1, n do
  local scope
  scope, used[i], at = unpack('<Hc0I4', record, at)
  scopes[i], places[scope] = scope, i
end
kept_from = at
local slot_count
slot_count, next_at = unpack('<H', asked, next_at)
local slots_at = next_at
for _ = 1, slot_count do
  local scope, limit
  scope, limit, next_at = unpack('<Hc0I4', asked, next_at)
  local i = places[scope]
  if limit <= (i and used[i] or 0) then return rules() end
end
local own = { 'account', 'key:' .. key, 'route:' .. route }
if has_feature == 1 then own[#own + 1] = 'feature:' .. feature end
if has_member == 1 then own[#own + 1] = 'member:' .. member end
for i = 1, #own do
  local scope = own[i]
  local place = places[scope]
  if place then
    used[place] = used[place] + 1
  else
    n = n + 1
    scopes[n], places[scope], used[n] = scope, n, 1
  end
end
parts[size] = parts[size] .. pack('<H', n)
for i = 1, n do parts[size + i] = pack('<Hc0I4', #scopes[i], scopes[i], used[i]) end
size = size + n

-- Caps: each that counts has a counter already of the period that contains now.
local caps, periods, weights, limits, whiches, answers = {}, {}, {}, {}, {}, {}
local counted, counting, cap_count = '', 0, nil
cap_count, next_at = unpack('<H', asked, next_at)
for i = 1, cap_count do
  local its_key, counts, limit, refundable, period, start, its_end, next_period, next_start, next_end, behind =
    unpack('<Hc0Bi7BBc0i7i7Bc0i7i7', asked, next_at)
  local which = 0
  if now < start or now >= its_end then
    which, period = 1, next_period
    if now < next_start or now >= next_end then return rules() end
  end
  if caps[its_key] then return rules() end
  caps[its_key], periods[i], limits[i], whiches[i], weights[i] = i, period, limit, which, false
  answers[i] = pack('<Bi7', which, 0)
  if counts == 1 then
    local weight = sub(its_key, 1, 1) == 'r' and 1 or amount
    counted = counted .. pack('<Hc0Bc0i7B', #its_key, its_key, #period, period, weight, refundable)
    weights[i], counting = weight, counting + 1
  end
  next_at = behind
end
local missing = counting
n, at = unpack('<H', record, at)
for _ = 1, n do
  local its_key, spans
  local lives = false
  its_key, spans, at = unpack('<Hc0B', record, at)
  local i = caps[its_key]
  for _ = 1, spans do
    local period, its_end, count
    period, its_end, count, at = unpack('<Bc0i7i7', record, at)
    lives = lives or its_end + FORGET_MS > now
    if i and periods[i] == period then
      if weights[i] then
        count = math.min(count + weights[i], MAX)
        if count > limits[i] then return rules() end
        size, missing = size + 1, missing - 1
        parts[size] = sub(record, kept_from, at - NUMBER - 1) .. pack('<i7', count)
        kept_from = at
      end
      answers[i] = pack('<Bi7', whiches[i], count)
    end
  end
  if not lives then return rules() end
end
if missing ~= 0 then return rules() end

-- Rate limits (GCRA). Those whose time has passed leave the record.
n, at = unpack('<H', record, at)
if n > 0 or rate_count > 0 then
  local now_us, paces, tats, count = now * MILLI, {}, {}, 0
  size = size + 1
  parts[size] = sub(record, kept_from, at - 1 - 2)
  for _ = 1, n do
    local its_key, tat
    its_key, tat, at = unpack('<Hc0i7', record, at)
    if tat > now_us then
      count = count + 1
      paces[count], tats[its_key] = its_key, tat
    end
  end
  kept_from = at
  for _ = 1, rate_count do
    local its_key, interval, burst
    its_key, interval, burst, rates_at = unpack('<Hc0i7i7', asked, rates_at)
    local known = tats[its_key]
    local tat = math.min(math.max(known or 0, now_us), now_us + burst)
    if tat + interval - burst > now_us then return rules() end
    if not known then
      count = count + 1
      paces[count] = its_key
    end
    tats[its_key] = tat + interval
  end
  parts[size] = parts[size] .. pack('<H', count)
  for i = 1, count do parts[size + i] = pack('<Hc0i7', #paces[i], paces[i], tats[paces[i]]) end
  size = size + count
end

-- Allowances: those of the call run already, with no less than it says; or are not needed.
n, next_at = unpack('<H', asked, next_at)
if n > ALLOWANCES_MAX then return rules() end
if n > 0 then
  local run, count = {}, nil
  count, at = unpack('<H', record, at)
  for _ = 1, count do
    local name, its_end, given
    name, _, its_end, given, at = unpack('<Bc0Bc0i7i7', record, at)
    if its_end > now then run[name] = given end
  end
  for _ = 1, n do
    local name, class, given, when, carries, start, its_end, next_start, next_end
    name, _, class, _, given, when, _, carries, next_at = unpack('<Bc0Bc0BBi7BHc0B', asked, next_at)
    if carries == 1 then _, _, _, _, _, next_at = unpack('<i7i7Bi7i7', asked, next_at) end
    _, _, start, its_end, _, _, next_start, next_end, next_at = unpack('<Bc0Bc0i7i7Bc0Bc0i7i7', asked, next_at)
    local fits = (start <= now and now < its_end) or (next_start <= now and now < next_end)
    local there = run[name]
    if not fits or (given > 0 and (class ~= PLAN and class ~= FREE or (there or (when == 1 and given or 0)) < given))
    then
      return rules()
    end
  end
end

-- Everything is allowed: the record, then the charge.
local lease_end = math.min(now + lease_ms, MAX)
local sooner = lease_next == NONE or lease_end < lease_next
if sooner then lease_next = lease_end end
parts[size + 1] = sub(record, kept_from)
local becomes = sub(record, 1, BEFORE_MARK) .. pack('<i7', now) .. sub(record, BEHIND_MARK, BEFORE_LEASE)
  .. pack('<i7', lease_next) .. sub(record, BEHIND_LEASE, BEFORE_OPEN) .. pack('<I4', open + 1) .. table.concat(parts)
local opened = pack('<BBi7i7BBi7', VERSION, 0, lease_end, NONE, on_unknown, over_run, now)
  .. sub(asked, said_at, said_end - 1) .. pack('<H', leg_count) .. legs .. pack('<H', counting) .. counted
  .. sub(asked, said_end, texts_end - 1) .. '\000\000'
local lives = string.format('%.0f', on_unknown == ON_HOLD and YEARS_MS or kept_ms + timeout + reconcile)
if sooner then
  local at_least = string.format('%.0f', lease_end)
  call('ZADD', KEYS[7], at_least, account_id)
end
call('HSET', KEYS[4], charge, opened)
call('SET', KEYS[10], pack(POINTER, VERSION, 0, #account_id, account_id), 'PX', lives)
call('SET', KEYS[2], becomes)
for i = 1, slot_count do
  local scope
  scope, _, slots_at = unpack('<Hc0I4', asked, slots_at)
  answers[cap_count + i] = pack('<I4', places[scope] and used[places[scope]] or 0)
end
return pack('<BBi7Bi7i7i7i7H', VERSION, APPLIED, now, grace == 1 and GRACE + 1 or 1, seq, math.min(available, MAX),
  math.min(held, MAX), lease_end, leg_count) .. legs .. table.concat(answers)
