-- What settle, release and doubt share: finding the charge, writing its end.
--
-- KEYS  as every verb; 10 charge  11 texts
-- ARGV  2 call: '<Bc0i7i7i7Bc0Bc0Hc0' charge, actual, how long a tombstone is kept, how long texts are, both as
--         digits, explanation

local ENDING = '<Bc0i7i7i7Bc0Bc0Hc0'
local CHARGE, TEXTS = KEYS[10], KEYS[11]

local r = {}
r.charge, r.actual, r.kept_ms, r.told_ms, r.kept, r.told, r.explanation = unpack(ENDING, ARGV[2])

-- The charge as it is known: open, or ended; and whether it lies among those that a deadline has ended.
-- The last answer says that it is another account's.
local function seen(bytes)
  local open = call('HGET', OPEN, r.charge)
  if open then return read_open(r.charge, open), nil, false, false end
  local e, lapsed = known_end(r.charge, bytes, r.kept_ms)
  if e and e.account ~= account_id then return nil, nil, false, true end
  return nil, e, lapsed, false
end

-- Note and explanation that are kept already. Of an id that was closed unseen there are none: it may have
-- been another charge's, long ago.
local function texts_so_far(open, e, unseen)
  if unseen then return '', '' end
  if open then return open.note, open.explanation end
  if e and e.texts ~= '' then return unpack('<Hc0Hc0', e.texts) end
  local texts = e and call('GET', TEXTS)
  if texts then return unpack('<Hc0Hc0', texts) end
  return '', ''
end

local function write_end(verb, e, open, lapsed, unseen)
  local note, explanation = texts_so_far(open, e, unseen)
  if r.explanation ~= '' then explanation = r.explanation end
  local texts = pack('<Hc0Hc0', #note, note, #explanation, explanation)
  local tomb = write_tomb(e)
  -- This is in place of what due work has done to it.
  lapsed_now[r.charge], ended_now[r.charge] = nil, nil
  local ends = work_done and due_ends(r.kept_ms) or {}
  ends[#ends + 1] = { charge = r.charge, bytes = tomb .. texts }
  table.sort(ends, function(a, b) return precedes(a.charge, b.charge) end)
  local record = prepare(verb, ends)
  put(r.kept_ms)
  if work_done then put_due(r.kept_ms) end
  call('HDEL', lapsed and LAPSED or OPEN, r.charge)
  call('SET', CHARGE, tomb, 'PX', r.kept)
  call('SET', TEXTS, texts, 'PX', r.told)
  call('SET', ACCOUNT, record)
end

-- What remains for charges like this one; nothing for an id whose kind nobody knows.
local function rest_of(open, e)
  local o = open or core_of(e)
  return o and available_for(o) or 0
end

local stored = call('MGET', EPOCH, ACCOUNT, CHARGE)
local no = look_at_clock(stored[1]) or read_account(stored[2])
if no then return no end
local open, e, lapsed, another = seen(stored[3])
if another then return reply(UNKNOWN_CHARGE) end
if may_be_due() then
  no = due_rules().catch_up()
  if no then return no end
  -- Due work may have changed it, or ended it.
  if open and opens then open = opens[r.charge] and whole(opens[r.charge]) end
  e = ended_now[r.charge] or e
end
