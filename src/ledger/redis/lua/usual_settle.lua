-- settle on its usual path: the charge is open and costs no more than it holds, its buckets are live, nothing is
-- due. Written straight and without a table for each thing, since nearly every charge ends here; whatever is not
-- usual is left to the rules, before anything is written.
--
-- KEYS, ARGV, reply  as `settle` says
-- writes account, charge, texts, open, history, stream
--
-- Invariant: what it writes and answers is, byte for byte, what the rules would write and answer.

-- Places of the record: the sequence, the number of open charges; and behind a bucket's id and kind its columns.
local BEHIND_MARK, BEFORE_OPEN, BEHIND_OPEN = 16, 44, 49
local BEFORE_COLUMNS, NUMBER, FOUR_NUMBERS = 25, 7, 28
-- A charge that began so long ago may have an id that the history drops.
local YOUNG_MS = 72000000

local call, pack, unpack, sub = redis.call, struct.pack, struct.unpack, string.sub
local _ -- what is read and not looked at
local stored = call('MGET', KEYS[1], KEYS[2], KEYS[10])
local record = stored[2]
if not stored[1] or not record or string.byte(record) ~= VERSION then return rules() end

local _, clock, grace, test_clock, account_id = unpack('<Bi7Bi7Bc0', ARGV[1])
local version, test, _, grace_until = unpack(EPOCH_RECORD, stored[1])
if version ~= VERSION or stored[3] ~= pack(POINTER, VERSION, 0, #account_id, account_id) then return rules() end
local now = test_clock
if test == 0 or now == NONE then
  local time = call('TIME')
  now = time[1] * MILLI + math.floor(time[2] / MILLI)
  if math.abs(now - clock) > JUMP_MS then return rules() end
  grace = (now < grace_until or now - clock > STALE_CALL_MS) and 1 or 0
end

local _, seq, mark, _, _, _, lease_next, wake_next, open, _, dead_next, dead_count, _, _, n, at = unpack(HEAD, record)
if mark > now then now = mark end
seq = seq + 1
if (wake_next ~= NONE and wake_next <= now) or (grace == 0 and lease_next ~= NONE and lease_next <= now)
  or (dead_next ~= NONE and dead_next <= now) or dead_count > DEAD_MAX or open < 1 or (open == 1 and lease_next == NONE) or seq % TRIM_EVERY == 0 then
  return rules()
end

local charge, actual, kept_ms, told_ms, explanation = unpack(ENDING, ARGV[2])
local opened = call('HGET', KEYS[4], charge)
if not opened or string.byte(opened) ~= VERSION then return rules() end
local _, unknown, _, _, _, _, begun, _, _, hold, _, _, key, kind, route, has_feature, feature, has_member, member,
  leg_count, leg_at = unpack(OPEN_HEAD, opened)
if unknown ~= 0 or actual > hold or now - begun > YOUNG_MS then return rules() end

-- Heads of the legs are spent, tails return.
local spends, returns, heads, postings, head_count, keep = {}, {}, '', '', 0, actual
for _ = 1, leg_count do
  local bucket, amount
  bucket, amount, leg_at = unpack('<Bc0i7', opened, leg_at)
  if spends[bucket] or amount == 0 then return rules() end
  local stays = keep < amount and keep or amount
  keep = keep - stays
  spends[bucket], returns[bucket] = stays, amount - stays
  if stays > 0 then
    heads, head_count = heads .. pack('<Bc0i7', #bucket, bucket, stays), head_count + 1
    postings = postings .. pack('<Bc0c1c1i7', #bucket, bucket, 'h', 's', stays)
  end
end
if keep ~= 0 then return rules() end

-- What caps have counted of it becomes what it cost.
local counts, periods, weights, cores, core_from, counted_count = {}, {}, {}, '', 1, nil
counted_count, leg_at = unpack('<H', opened, leg_at)
local had = {}
for i = 1, counted_count do
  local its_key, period, amount
  its_key, period, amount, _, leg_at = unpack('<Hc0Bc0i7B', opened, leg_at)
  if counts[its_key] then return rules() end
  local weight = sub(its_key, 1, 1) == 'r' and 1 or actual
  counts[its_key], periods[i], had[i], weights[i] = i, period, amount, weight
  if weight ~= amount then
    cores = cores .. sub(opened, core_from, leg_at - 1 - NUMBER - 1) .. pack('<i7', weight)
    core_from = leg_at - 1
  end
end
local _, core_end = unpack('<Hc0', opened, leg_at)
local core = cores .. sub(opened, core_from, core_end - 1)
local note_length = unpack('<H', opened, core_end)
local texts
if explanation == '' then
  local _, _, texts_end = unpack(TWO_TEXTS, opened, core_end)
  texts = sub(opened, core_end, texts_end - 1)
else
  texts = sub(opened, core_end, core_end + 1 + note_length) .. pack('<Hc0', #explanation, explanation)
end

-- Buckets. What changes of the record is written between what stays.
local parts, size, kept_from, found, available = {}, 0, BEHIND_OPEN, 0, 0
for _ = 1, n do
  local start = at
  local id, its_kind, sort, _, effective, expires, granted, free, on_hold, spent, _, _, behind =
    unpack(PURSE, record, at)
  local class, standing, fresh = sort % OF_STANDING, math.floor(sort / OF_STANDING) % STANDINGS,
    math.floor(sort / OF_FRESH) % 2
  local expired, voided, extra, repaid = 0, 0, '', 0
  if math.floor(sort / OF_RARE) % 2 == 1 then expired, voided, _, behind = unpack(RARE, record, behind) end
  if sort >= OF_MORE then extra, repaid, behind = unpack(MORE, record, behind) end
  local takes = spends[id]
  if takes then
    local back = returns[id]
    free, on_hold, spent, found = free + back, on_hold - takes - back, spent + takes, found + 1
    if class == DEBT or standing ~= ACTIVE or (expires ~= NONE and expires <= now) then return rules() end
    local columns = start + #id + #its_kind + BEFORE_COLUMNS
    size = size + 1
    parts[size] = sub(record, kept_from, columns - 1) .. pack('<i7i7i7i7', free, on_hold, spent, now)
    kept_from = columns + FOUR_NUMBERS
  end
  if free + on_hold + spent + expired + voided ~= granted or granted > MAX or free < 0 or on_hold < 0 or spent < 0
    or expired < 0 or voided < 0 or (free == 0 and on_hold == 0 and fresh == 0 and (class ~= DEBT or spent == 0)) then
    return rules()
  end
  local wakes = standing ~= FROZEN and (fresh == 1 and effective or (free > 0 and expires)) or NONE
  if wakes ~= NONE and (wake_next == NONE or wakes < wake_next) then return rules() end
  if its_kind == kind and free > 0 and standing == ACTIVE and class ~= DEBT and effective <= now
    and (expires == NONE or expires > now) then
    local names, name_at = 0, nil
    if extra ~= '' then names, name_at = unpack('<B', extra) end
    local pays = names == 0
    for _ = 1, names do
      local name
      name, name_at = unpack('<Bc0', extra, name_at)
      pays = pays or name == route or (has_feature == 1 and name == feature)
    end
    if pays then available = available + free end
  end
  at = behind
  for _ = 1, repaid do _, _, at = unpack('<Bc0i7', record, at) end
end
if found ~= leg_count then return rules() end

-- Its slots are free again.
local own, own_count = { account = true, ['key:' .. key] = true, ['route:' .. route] = true }, 1 + 2
if has_feature == 1 then own['feature:' .. feature], own_count = true, own_count + 1 end
if has_member == 1 then own['member:' .. member], own_count = true, own_count + 1 end
n, at = unpack('<H', record, at)
local before, slots, slot_count = sub(record, kept_from, at - 1 - 2), '', 0
for _ = 1, n do
  local scope, used
  scope, used, at = unpack('<Hc0I4', record, at)
  if own[scope] then used, own_count = used - 1, own_count - 1 end
  if used > 0 then slots, slot_count = slots .. pack('<Hc0I4', #scope, scope, used), slot_count + 1 end
  if used < 0 then return rules() end
end
if own_count ~= 0 then return rules() end
size, kept_from = size + 1, at
parts[size] = before .. pack('<H', slot_count) .. slots

n, at = unpack('<H', record, at)
for _ = 1, n do
  local its_key, spans
  its_key, spans, at = unpack('<Hc0B', record, at)
  local i = counts[its_key]
  for _ = 1, spans do
    local period, count
    period, _, count, at = unpack('<Bc0i7i7', record, at)
    if i and periods[i] == period then
      size = size + 1
      parts[size] = sub(record, kept_from, at - NUMBER - 1)
        .. pack('<i7', math.min(math.max(0, count - had[i]) + weights[i], MAX))
      kept_from = at
    end
  end
end

-- The charge's end, the stream's entry, the record.
local tomb = pack(TOMB, VERSION, SETTLED, 0, 0, now, actual, actual, hold - actual, 0, 0, #account_id, account_id,
  0, '', head_count) .. heads .. pack('<I4', #core) .. core
local entry = pack('<Bc1i7i7Hc0H', VERSION, 's', seq, now, #account_id, account_id, head_count) .. postings
  .. pack('<HHBc0I4', 0, 1, #charge, charge, #tomb + #texts) .. tomb .. texts .. '\000\000'
parts[size + 1] = sub(record, kept_from)
local becomes = sub(record, 1, 1) .. pack('<i7i7', seq, now) .. sub(record, BEHIND_MARK, BEFORE_OPEN)
  .. pack('<I4', open - 1) .. table.concat(parts)
local kept, told = string.format('%.0f', kept_ms), string.format('%.0f', told_ms)
call('ZADD', KEYS[6], '0', charge)
call('XADD', KEYS[9], '*', 'e', entry)
call('HDEL', KEYS[4], charge)
call('SET', KEYS[10], tomb, 'PX', kept)
call('SET', KEYS[11], texts, 'PX', told)
call('SET', KEYS[2], becomes)
return pack('<BBi7Bi7i7i7i7i7i7B', VERSION, APPLIED, now, grace == 1 and GRACE + 1 or 1, seq, actual, hold - actual,
  0, 0, math.min(available, MAX), 0)
