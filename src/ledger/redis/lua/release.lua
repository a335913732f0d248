-- release: ends a charge by giving everything back. An id never seen is closed too: it can never be
-- reserved.
--
-- KEYS  as `ending` says
-- ARGV  as `ending` says
-- reply 0: '<i7i7' returned, available
--       1 lost, 3 clock jump, 5 tick, 6 unknown account, 8 unknown charge, 12 ended '<B', 20 newer
-- checks due work, that it is open, never seen, or ended by its deadline within the hour
-- writes as settle

local function answer(o, ended_charge)
  return reply(APPLIED, pack('<i7i7', ended_charge.returned, rest_of(o, ended_charge)))
end

if e and e.state == RELEASED and e.by_deadline == 0 then
  put_due_alone('l', r.kept_ms)
  return answer(nil, e)
end
local unseen = not open and not e
if open then
  e = release_open(open)
elseif unseen then
  e = { charge = r.charge, account = account_id, state = RELEASED, by_deadline = 0, late = 0, at = now,
    actual = 0, charged = 0, returned = 0, debt = 0, absorbed = 0, refunds = '', legs = {},
    core = '' }
elseif e.state == RELEASED then
  -- Its deadline had released it already; now somebody has said that this was right.
  e.by_deadline = 0
else
  no = correct(e, RELEASED, 0)
  if no then return no end
end
write_end('l', e, open, lapsed, unseen)
return answer(open, e)
