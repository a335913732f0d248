-- doubt: the exchange has ended and nobody knows how. Frees the slot, starts the time for which an unknown
-- outcome is kept. Saying so again changes nothing.
--
-- KEYS  as `ending` says
-- ARGV  as `ending` says
-- reply 0; 1 lost, 3 clock jump, 5 tick, 6 unknown account, 8 unknown charge, 12 ended '<B', 20 newer
-- checks due work, that it is open
-- writes open, account; the index where its deadline comes sooner; stream and lapsed for due work

if not open then
  if e then return reply(ENDED, pack('<B', e.state)) end
  return reply(UNKNOWN_CHARGE)
end
if open.unknown == 1 then
  put_due_alone('d', r.kept_ms)
  return reply(APPLIED)
end
make_unknown(open)
if r.explanation ~= '' then open.explanation = r.explanation end
expect_at(next_of(open))
local record = prepare('d', work_done and due_ends(r.kept_ms) or {})
put(r.kept_ms)
if work_done then put_due(r.kept_ms) end
call('HSET', OPEN, r.charge, write_open(open))
call('SET', ACCOUNT, record)
return reply(APPLIED)
