-- settle on its usual path: the charge is open and costs no more than it holds, its buckets are live, nothing is
-- due. Written straight and without a table for each thing, since nearly every charge ends here; whatever is not
-- usual is left to the rules, before anything is written.
--
-- KEYS, ARGV, reply  as `settle` says
-- writes account, charge, texts, open, history, stream
--
-- Invariant: what it writes and answers is, byte for byte, what the rules would write and answer.

-- Places of the record: how much of it the usual path makes anew, and where the numbers of buckets stand.
local FRONT, NUMBERS_AT, NUMBERS_BYTES = 30, 92, 56
local SORT_AT, CHANGED_BYTES, NUMBER, COUNT = 49, 28, 7, 4
-- Place of the key in the record of an open charge that has no deadline.
local KEY_AT = 70
-- How the names of slots begin, and how long those beginnings are.
local ACCOUNT_AND_KEY = '\007\000account\020\000key:'
local ROUTE, FEATURE, MEMBER = 6, 8, 7
-- How the key of a cap on requests begins.
local REQUESTS, BYTE = 114, 256
-- A charge that began so long ago may have an id that the history drops.
local YOUNG_MS = 72000000

local spread = unpack
local call, pack, unpack, sub, find = redis.call, struct.pack, struct.unpack, string.sub, string.find
local _ -- what is read and not looked at
local stored = call('MGET', KEYS[1], KEYS[2])
local record = stored[2]
if not stored[1] or not record or string.byte(record) ~= VERSION then return rules() end

local _, clock, grace, test_clock, account_id = unpack('<Bi7Bi7Bc0', ARGV[1])
local version, test, _, grace_until = unpack(EPOCH_RECORD, stored[1])
if version ~= VERSION then return rules() end
local now, time_read = test_clock, nil
if test == 0 or now == NONE then
  local time = call('TIME')
  time_read = time[1] * MILLI + math.floor(time[2] / MILLI)
  now = time_read
  if math.abs(now - clock) > JUMP_MS then return rules(nil, time_read) end
  grace = (now < grace_until or now - clock > STALE_CALL_MS) and 1 or 0
end

local _, seq, mark, lease_next, open, slot_count, names_length, _, _, _, wake_next, _, dead_next, dead_count, _, _, n,
  keys_length, middle, at = unpack(HEAD, record)
if mark > now then now = mark end
seq = seq + 1
if (wake_next ~= NONE and wake_next <= now) or (grace == 0 and lease_next ~= NONE and lease_next <= now)
  or (dead_next ~= NONE and dead_next <= now) or dead_count > DEAD_MAX or open < 1
  or (open == 1 and lease_next == NONE) or seq % TRIM_EVERY == 0 then
  return rules(nil, time_read)
end

local charge, actual, _, _, kept, told, explanation = unpack(ENDING, ARGV[2])
local opened = call('HGET', KEYS[4], charge)
if not opened or string.byte(opened) ~= VERSION then return rules(nil, time_read) end
local _, flags, _, begun, hold = unpack('<BBi7i7i7', opened)
if flags % 2 ~= 0 or math.floor(flags / OF_DEADLINE) % 2 ~= 0 or actual > hold or now - begun > YOUNG_MS then
  return rules(nil, time_read)
end
local key, kind, route, leg_at = unpack('<c16Bc0Bc0', opened, KEY_AT)
local feature, member
if flags >= OF_MAX_DEBT then
  if math.floor(flags / OF_MAX_DEBT) % 2 == 1 then leg_at = leg_at + NUMBER end
  if math.floor(flags / OF_FEATURE) % 2 == 1 then feature, leg_at = unpack('<Bc0', opened, leg_at) end
  if flags >= OF_MEMBER then member, leg_at = unpack('<Bc0', opened, leg_at) end
end

-- Buckets: heads of the legs, which lie in the order of the buckets, are spent, tails return. What changes of the
-- record is written between what stays.
local middle_at = at + n * NUMBERS_BYTES + keys_length
local slots_at = middle_at + middle
local kinds, first, ids_at = unpack('<BBc0', record, middle_at)
local wanted = 0
if kinds ~= 1 or first ~= kind then
  wanted, ids_at = NONE, middle_at + 1
  for i = 1, kinds do
    local one
    one, ids_at = unpack('<Bc0', record, ids_at)
    if one == kind then wanted = i - 1 end
  end
end
local legs, leg_from = unpack('<H', opened, leg_at)
local bucket, leg
leg_at = leg_from
if legs > 0 then bucket, leg, leg_at = unpack('<Bc0i7', opened, leg_at) end
local numbers, kept_from, ids_read, found = '', NUMBERS_AT, 0, 0
local heads, postings, head_count, keep, available = '', '', 0, actual, 0
local gone, extras
for i = 1, n do
  local start = at
  local free, on_hold, spent, _, granted, effective, expires, sort, _, its_kind, _, behind = unpack(NUMBERS, record, at)
  local lost, only = 0, its_kind >= OF_ONLY
  if only or sort >= OF_RARE then
    if not gone then
      -- The tails of all buckets.
      gone, extras = {}, {}
      local tail_at = ids_at
      for _ = ids_read + 1, n do _, tail_at = unpack('<Bc0', record, tail_at) end
      for j = 1, n do
        local its_sort = string.byte(record, NUMBERS_AT + (j - 1) * NUMBERS_BYTES + SORT_AT)
        local repaid = 0
        gone[j] = 0
        if math.floor(its_sort / OF_RARE) % 2 == 1 then
          local expired, voided
          expired, voided, _, tail_at = unpack(RARE, record, tail_at)
          gone[j] = expired + voided
        end
        if math.floor(its_sort / OF_MORE) % 2 == 1 then extras[j], repaid, tail_at = unpack(MORE, record, tail_at) end
        for _ = 1, repaid do _, _, tail_at = unpack('<Bc0i7', record, tail_at) end
      end
    end
    lost, its_kind = gone[i], its_kind % OF_ONLY
  end
  if bucket then
    local id
    id, ids_at = unpack('<Bc0', record, ids_at)
    ids_read = i
    if id == bucket then
      local stays = keep < leg and keep or leg
      keep, on_hold, spent, free = keep - stays, on_hold - leg, spent + stays, free + leg - stays
      if leg == 0 or sort >= OF_STANDING or sort % CLASSES == DEBT or (expires ~= NONE and expires <= now)
        or (free == 0 and on_hold == 0 and math.floor(sort / OF_FRESH) % 2 == 0)
        or (free > 0 and expires ~= NONE and (wake_next == NONE or expires < wake_next)) then
        return rules(nil, time_read)
      end
      numbers = numbers .. sub(record, kept_from, start - 1) .. pack('<i7i7i7i7', free, on_hold, spent, now)
      kept_from = start + CHANGED_BYTES
      if stays > 0 then
        heads, head_count = heads .. pack('<Bc0i7', #id, id, stays), head_count + 1
        postings = postings .. pack('<Bc0c1c1i7', #id, id, 'h', 's', stays)
      end
      found, bucket = found + 1, nil
      if found < legs then bucket, leg, leg_at = unpack('<Bc0i7', opened, leg_at) end
    end
  end
  if free + on_hold + spent + lost ~= granted or granted > MAX or free < 0 or on_hold < 0 or spent < 0 or lost < 0 then
    return rules(nil, time_read)
  end
  if its_kind == wanted and free > 0 and sort < OF_STANDING and sort % CLASSES ~= DEBT and effective <= now
    and (expires == NONE or expires > now) then
    local pays = not only
    if only then
      local count, name_at = unpack('<B', extras[i])
      for _ = 1, count do
        local name
        name, name_at = unpack('<Bc0', extras[i], name_at)
        pays = pays or name == route or name == feature
      end
    end
    if pays then available = available + free end
  end
  at = behind
end
if found ~= legs or keep ~= 0 then return rules(nil, time_read) end

-- Its slots are free again.
local used_at = slots_at + names_length
local counters_at = used_at + slot_count * COUNT
local names, own_count = sub(record, slots_at, used_at - 1), 1 + 2
local own = ACCOUNT_AND_KEY .. key .. pack('<H', #route + ROUTE) .. 'route:' .. route
if feature then own, own_count = own .. pack('<H', #feature + FEATURE) .. 'feature:' .. feature, own_count + 1 end
if member then own, own_count = own .. pack('<H', #member + MEMBER) .. 'member:' .. member, own_count + 1 end
local used = { unpack('<' .. string.rep('I4', slot_count), record, used_at) }
local least, most = MAX, 0
if names == own then
  for i = 1, slot_count do
    local count = used[i]
    if count < least then least = count end
    if count > most then most = count end
    used[i] = count - 1
  end
end
local counts
if most == 1 and least == 1 then
  names, counts, slot_count = '', '', 0
elseif most > 0 and least > 1 then
  counts = pack('<' .. string.rep('I4', slot_count), spread(used, 1, slot_count))
else
  used = { unpack('<' .. string.rep('I4', slot_count), record, used_at) }
  local is_own, scope_at, live = { account = true, ['key:' .. key] = true, ['route:' .. route] = true }, slots_at, 0
  if feature then is_own['feature:' .. feature] = true end
  if member then is_own['member:' .. member] = true end
  names, counts = '', ''
  for i = 1, slot_count do
    local scope, count
    scope, scope_at = unpack('<Hc0', record, scope_at)
    count = used[i]
    if is_own[scope] then count, own_count = count - 1, own_count - 1 end
    if count < 0 then return rules(nil, time_read) end
    if count > 0 then
      names, counts, live = names .. pack('<Hc0', #scope, scope), counts .. pack('<I4', count), live + 1
    end
  end
  if own_count ~= 0 then return rules(nil, time_read) end
  slot_count = live
end

-- What caps have counted of it becomes what it cost.
local counters_length, _, entries_at = unpack('<I4H', record, counters_at)
local paces_at = entries_at + counters_length
local counters = sub(record, entries_at, paces_at - 1)
local core, core_from, counted = '', 1, nil
counted, leg_at = unpack('<H', opened, leg_at)
for _ = 1, counted do
  local low, high, measure = string.byte(opened, leg_at, leg_at + 2)
  local period_at = leg_at + 2 + low + BYTE * high
  local had_at = period_at + 1 + string.byte(opened, period_at)
  local name, had = sub(opened, leg_at, had_at - 1), unpack('<i7', opened, had_at)
  local weight = measure == REQUESTS and 1 or actual
  local _, name_end = find(counters, name, 1, true)
  if name_end then
    local _, count = unpack('<i7i7', counters, name_end + 1)
    local becomes = math.min(math.max(0, count - had) + weight, MAX)
    if becomes ~= count then
      counters = sub(counters, 1, name_end + NUMBER) .. pack('<i7', becomes)
        .. sub(counters, name_end + NUMBER + NUMBER + 1)
    end
  elseif find(counters, sub(name, 1, 2 + low + BYTE * high), 1, true) then
    -- It may have counted in the period before.
    return rules(nil, time_read)
  end
  if weight ~= had then
    core, core_from = core .. sub(opened, core_from, had_at - 1) .. pack('<i7', weight), had_at + NUMBER
  end
  leg_at = had_at + NUMBER + 1
end
local core_end = leg_at + 2 + unpack('<H', opened, leg_at)
core = core .. sub(opened, core_from, core_end - 1)
local texts
if explanation == '' then
  local _, _, texts_end = unpack(TWO_TEXTS, opened, core_end)
  texts = sub(opened, core_end, texts_end - 1)
else
  local note_end = core_end + 1 + unpack('<H', opened, core_end)
  texts = sub(opened, core_end, note_end) .. pack('<Hc0', #explanation, explanation)
end

-- The charge's end, the stream's entry, the record.
local tomb = pack(TOMB, VERSION, SETTLED, 0, 0, now, actual, actual, hold - actual, 0, 0, #account_id, account_id,
  0, '', head_count) .. heads .. pack('<I4', #core) .. core
local entry = pack('<Bc1i7i7Hc0H', VERSION, 's', seq, now, #account_id, account_id, head_count) .. postings
  .. pack('<HHBc0I4', 0, 1, #charge, charge, #tomb + #texts) .. tomb .. texts .. '\000\000'
local becomes = pack('<Bi7i7i7I4HH', VERSION, seq, now, lease_next, open - 1, slot_count, #names)
  .. sub(record, FRONT + 1, NUMBERS_AT - 1) .. numbers .. sub(record, kept_from, slots_at - 1) .. names .. counts
  .. sub(record, counters_at, entries_at - 1) .. counters .. sub(record, paces_at)
call('ZADD', KEYS[6], '0', charge)
call('XADD', KEYS[9], '*', 'e', entry)
call('HDEL', KEYS[4], charge)
call('SET', KEYS[10], tomb, 'PX', kept)
call('SET', KEYS[11], texts, 'PX', told)
call('SET', KEYS[2], becomes)
return pack('<BBi7Bi7i7i7i7i7i7B', VERSION, APPLIED, now, grace == 1 and GRACE + 1 or 1, seq, actual, hold - actual,
  0, 0, math.min(available, MAX), 0)
