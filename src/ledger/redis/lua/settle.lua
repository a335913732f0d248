-- settle: ends a charge by taking what was due. One whose outcome was unknown, or that a deadline had
-- ended, is corrected once.
--
-- KEYS  as `ending` says
-- ARGV  as `ending` says
-- reply 0: '<i7i7i7i7i7B' charged, returned, debt, absorbed, available, late
--       1 lost, 3 clock jump, 5 tick, 6 unknown account, 8 unknown charge, 10 conflict, 12 ended '<B', 20 newer
-- checks due work, that it is open, or ended by its deadline within the hour
-- writes account, charge, texts, open or lapsed, history, stream; indexes where a moment comes sooner; open and
--        lapsed for due work

local function answer(o, ended_charge)
  return reply(APPLIED, pack('<i7i7i7i7i7B', ended_charge.charged, ended_charge.returned, ended_charge.debt,
    ended_charge.absorbed, rest_of(o, ended_charge), ended_charge.late))
end

if e and e.state == SETTLED and e.by_deadline == 0 then
  if e.actual ~= r.actual then return reply(CONFLICT) end
  put_due_alone('s', r.kept_ms)
  return answer(nil, e)
end
if not open and not e then return reply(UNKNOWN_CHARGE) end
if open then
  e = settle_open(open, r.actual)
else
  no = correct(e, SETTLED, r.actual)
  if no then return no end
end
write_end('s', e, open, lapsed)
return answer(open, e)
