-- reserve on its usual path: nothing is due, every gate lets the request pass, the periods run already. Written
-- straight and without a table for each thing, since nearly every request passes here; whatever is not usual is
-- left to the rules, before anything is written.
--
-- KEYS, ARGV, reply  as `reserve` says
-- ARGV  2 at USUAL: since when and until when the first period of each list holds; how long is what an open charge's
--         record takes from the call before its legs and behind them; how many scopes the charge runs in, and their
--         names as the record's slots have them; how many limits of slots, caps and rates follow; the record's
--         allowances if all of the call run; what caps count, as an open charge's record has it; then slots of '<BI4'
--         (place among the scopes, limit), caps of '<Hc0i7i7' (a counter's key and period as the record has them, what
--         is counted or -1, limit), rates of '<Hc0i7i7', '<B' allowances of '<Bc0i7B' (name, amount, when)
-- writes account, open; the index of leases where one lapses sooner
--
-- Invariant: what it writes and answers is, byte for byte, what the rules would write and answer.

-- Places of the record: how much of it the usual path makes anew, and where the numbers of buckets stand.
local FRONT, NUMBERS_AT, NUMBERS_BYTES = 30, 92, 56
local SORT_AT, CHANGED_BYTES, NUMBER, COUNT = 49, 28, 7, 4
-- Place in what a call says of a charge, behind its beginning.
local KEY_AT = 53
local USUAL = '<i7i7HI4BHc0BBBHc0Hc0'

local spread = unpack
local call, pack, unpack, sub, find = redis.call, struct.pack, struct.unpack, string.sub, string.find
local _ -- what is read and not looked at
local asked = ARGV[2]
local stored = call('MGET', KEYS[1], KEYS[2], KEYS[10])
local record, usual_at = stored[2], unpack('<I4', asked)
if not stored[1] or not record or stored[3] or usual_at == 0 or string.byte(record) ~= VERSION then
  return rules(stored)
end

local _, clock, grace, test_clock, account_id = unpack('<Bi7Bi7Bc0', ARGV[1])
local version, test, _, grace_until = unpack(EPOCH_RECORD, stored[1])
if version ~= VERSION then return rules(stored) end
local now, time_read = test_clock, nil
if test == 0 or now == NONE then
  local time = call('TIME')
  time_read = time[1] * MILLI + math.floor(time[2] / MILLI)
  now = time_read
  if math.abs(now - clock) > JUMP_MS then return rules(stored, time_read) end
  grace = (now < grace_until or now - clock > STALE_CALL_MS) and 1 or 0
end

local _, seq, mark, lease_next, open, slot_count, names_length, document, status, restricted, wake_next, _, dead_next,
  dead_count, lapsed_at, ranks, n, keys_length, middle, at = unpack(HEAD, record)
if mark > now then now = mark end
local charge, its_document, born, lease_ms, _, _, _, its_ranks, flags, said_at = unpack(CALL, asked, CALL_AT)
local from, ends, said, texts, own_count, own, limits, cap_count, rate_count, run_already, counted, next_at =
  unpack(USUAL, asked, usual_at)
if (wake_next ~= NONE and wake_next <= now) or (grace == 0 and lease_next ~= NONE and lease_next <= now)
  or (dead_next ~= NONE and dead_next <= now) or dead_count > DEAD_MAX or open >= OPEN_MAX
  or status ~= ACTIVE or restricted > now or its_document ~= document or its_ranks ~= ranks or now < from
  or now >= ends or now - born > AGE_MS or born - now > AGE_MS or lapsed_at >= born - AGE_MS then
  return rules(stored, time_read)
end
local amount = unpack('<i7', asked, said_at)
local key, kind, route, said_end = unpack('<c16Bc0Bc0', asked, said_at + KEY_AT)
local keys_at = at + n * NUMBERS_BYTES
local middle_at = keys_at + keys_length
local key_at = find(record, key, keys_at, true)
if not key_at or key_at >= middle_at or (key_at - keys_at) % KEY_BYTES ~= 0 then return rules(stored, time_read) end

-- Buckets in the order in which they pay. What changes of the record is written between what stays.
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
local numbers, kept_from, ids_read = '', NUMBERS_AT, 0
local need, available, held, legs, leg_count = amount, 0, 0, '', 0
local gone, extras
for i = 1, n do
  local start = at
  local free, on_hold, spent, _, granted, effective, expires, sort, _, its_kind, _, behind =
    unpack(NUMBERS, record, at)
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
  if free + on_hold + spent + lost ~= granted or granted > MAX or free < 0 or on_hold < 0 or spent < 0 or lost < 0 then
    return rules(stored, time_read)
  end
  if its_kind == wanted then
    if free > 0 and sort < OF_STANDING and sort % CLASSES ~= DEBT and effective <= now
      and (expires == NONE or expires > now) then
      local pays = not only
      if only then
        local feature
        if math.floor(flags / OF_FEATURE) % 2 == 1 then
          local feature_at = said_end + (math.floor(flags / OF_MAX_DEBT) % 2 == 1 and NUMBER or 0)
          feature = unpack('<Bc0', asked, feature_at)
        end
        local count, name_at = unpack('<B', extras[i])
        for _ = 1, count do
          local name
          name, name_at = unpack('<Bc0', extras[i], name_at)
          pays = pays or name == route or name == feature
        end
      end
      if pays then
        if need > 0 then
          local take, id = free < need and free or need, nil
          free, on_hold, need = free - take, on_hold + take, need - take
          numbers = numbers .. sub(record, kept_from, start - 1) .. pack('<i7i7i7i7', free, on_hold, spent, now)
          kept_from = start + CHANGED_BYTES
          for _ = ids_read + 1, i do id, ids_at = unpack('<Bc0', record, ids_at) end
          ids_read = i
          legs, leg_count = legs .. pack('<Bc0i7', #id, id, take), leg_count + 1
        end
        available = available + free
      end
    end
    held = held + on_hold
  end
  at = behind
end
if need > 0 then return rules(stored, time_read) end

-- Slots: one for each thing that a limit may count over.
local slots_at = middle_at + middle
local used_at = slots_at + names_length
local counters_at = used_at + slot_count * COUNT
local names = sub(record, slots_at, used_at - 1)
local used
if slot_count == 0 then
  names, slot_count, names_length, used = own, own_count, #own, { 0, 0, 0, 0, 0 }
elseif names == own then
  used = { unpack('<' .. string.rep('I4', slot_count), record, used_at) }
end
local places
if not used then
  local place_of = {}
  used, places = { unpack('<' .. string.rep('I4', slot_count), record, used_at) }, {}
  local scope_at = 1
  for i = 1, slot_count do
    local scope
    scope, scope_at = unpack('<Hc0', names, scope_at)
    place_of[scope] = i
  end
  scope_at = 1
  for i = 1, own_count do
    local scope
    scope, scope_at = unpack('<Hc0', own, scope_at)
    local place = place_of[scope]
    if not place then
      slot_count, place = slot_count + 1, slot_count + 1
      names, used[place] = names .. pack('<Hc0', #scope, scope), 0
    end
    places[i] = place
  end
  names_length = #names
end
local answers, count = '', nil
for _ = 1, limits do
  local place, limit
  place, limit, next_at = unpack('<BI4', asked, next_at)
  count = used[places and places[place] or place]
  if limit <= count then return rules(stored, time_read) end
  answers = answers .. pack('<I4', count + 1)
end
for i = 1, own_count do
  local place = places and places[i] or i
  used[place] = used[place] + 1
end

-- Caps: each that counts has a counter already of the period that contains now.
local counters_length, counter_count, entries_at = unpack('<I4H', record, counters_at)
local paces_at = entries_at + counters_length
local counters, there, of_caps = sub(record, entries_at, paces_at - 1), 0, ''
for _ = 1, cap_count do
  local name, more, limit
  name, more, limit, next_at = unpack('<Hc0i7i7', asked, next_at)
  local _, name_end = find(counters, name, 1, true)
  count = 0
  if name_end then
    local its_end
    its_end, count = unpack('<i7i7', counters, name_end + 1)
    if its_end + FORGET_MS <= now then return rules(stored, time_read) end
    there = there + 1
    if more ~= NONE then
      count = math.min(count + more, MAX)
      if count > limit then return rules(stored, time_read) end
      counters = sub(counters, 1, name_end + NUMBER) .. pack('<i7', count)
        .. sub(counters, name_end + NUMBER + NUMBER + 1)
    end
  elseif more ~= NONE or find(counters, sub(name, 1, 2 + unpack('<H', name)), 1, true) then
    return rules(stored, time_read)
  end
  of_caps = of_caps .. pack('<Bi7', 0, count)
end
if there < counter_count then
  local entry_at = 1
  for _ = 1, counter_count do
    local its_end, earlier, lives
    _, _, its_end, _, earlier, entry_at = unpack(COUNTER, counters, entry_at)
    lives = its_end + FORGET_MS > now
    if earlier == 1 then
      _, its_end, _, entry_at = unpack('<Bc0i7i7', counters, entry_at)
      lives = lives or its_end + FORGET_MS > now
    end
    if not lives then return rules(stored, time_read) end
  end
end

-- Rate limits (GCRA). Those whose time has passed leave the record.
local rest_at = paces_at
n, at = unpack('<H', record, paces_at)
local rates = ''
if n > 0 or rate_count > 0 then
  local now_us, paces, tats, live = now * MILLI, {}, {}, 0
  for _ = 1, n do
    local its_key, tat
    its_key, tat, at = unpack('<Hc0i7', record, at)
    if tat > now_us then
      live = live + 1
      paces[live], tats[its_key] = its_key, tat
    end
  end
  rest_at = at
  for _ = 1, rate_count do
    local its_key, interval, burst
    its_key, interval, burst, next_at = unpack('<Hc0i7i7', asked, next_at)
    local known = tats[its_key]
    local tat = math.min(math.max(known or 0, now_us), now_us + burst)
    if tat + interval - burst > now_us then return rules(stored, time_read) end
    if not known then
      live = live + 1
      paces[live] = its_key
    end
    tats[its_key] = tat + interval
  end
  rates = pack('<H', live)
  for i = 1, live do rates = rates .. pack('<Hc0i7', #paces[i], paces[i], tats[paces[i]]) end
end

-- Allowances: those of the call run already, with no less than it says; or are not needed.
local running, length, runs_at = unpack('<HH', record, at)
if sub(record, runs_at, runs_at + length - 1) ~= run_already then
  n, next_at = unpack('<B', asked, next_at)
  for _ = 1, n do
    local name, given, when, has
    name, given, when, next_at = unpack('<Bc0i7B', asked, next_at)
    at = runs_at
    for _ = 1, running do
      local its_name, its_end, its_amount
      its_name, _, its_end, its_amount, at = unpack('<Bc0Bc0i7i7', record, at)
      if its_name == name and its_end > now then has = its_amount end
    end
    if (has or (when == 1 and given or 0)) < given then return rules(stored, time_read) end
  end
end

-- Everything is allowed: the charge, which may not be there yet, then the record.
local lease_end = math.min(now + lease_ms, MAX)
local sooner = lease_next == NONE or lease_end < lease_next
if sooner then
  if open > 0 and call('HEXISTS', KEYS[4], charge) == 1 then return rules(stored, time_read) end
  lease_next = lease_end
  local at_least = string.format('%.0f', lease_end)
  call('ZADD', KEYS[7], at_least, account_id)
end
local legs_at = said_at + said
local opened = pack('<BBi7i7', VERSION, flags, lease_end, now) .. sub(asked, said_at, legs_at - 1)
  .. pack('<H', leg_count) .. legs .. counted .. sub(asked, legs_at, legs_at + texts - 1) .. '\000\000'
local becomes = pack('<Bi7i7i7I4HH', VERSION, seq, now, lease_next, open + 1, slot_count, names_length)
  .. sub(record, FRONT + 1, NUMBERS_AT - 1) .. numbers .. sub(record, kept_from, slots_at - 1) .. names
  .. pack('<' .. string.rep('I4', slot_count), spread(used, 1, slot_count)) .. sub(record, counters_at, entries_at - 1)
  .. counters .. rates .. sub(record, rest_at)
if call('HSETNX', KEYS[4], charge, opened) == 0 then return rules(stored, time_read) end
call('SET', KEYS[2], becomes)
return pack('<BBi7Bi7i7i7i7H', VERSION, APPLIED, now, grace == 1 and GRACE + 1 or 1, seq, math.min(available, MAX),
  math.min(held, MAX), lease_end, leg_count) .. legs .. of_caps .. answers
