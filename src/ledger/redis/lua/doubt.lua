-- doubt: the exchange has ended and nobody knows how. Frees the slot, starts the time for which an unknown
-- outcome is kept. Saying so again changes nothing.
--
-- KEYS  as `ending` says
-- ARGV  as `ending` says
-- reply 0; 1 lost, 3 clock jump, 6 unknown account, 8 unknown charge, 12 ended '<B', 20 newer
-- checks that it is open
-- writes open, account; the index where its deadline comes sooner

if not open then
  if e then return reply(ENDED, pack('<B', e.state)) end
  return reply(UNKNOWN_CHARGE)
end
if open.unknown == 1 then return reply(APPLIED) end
make_unknown(open)
if r.explanation ~= '' then open.explanation = r.explanation end
expect_at(next_of(open))
local record = prepare('d', {})
put()
call('HSET', OPEN, r.charge, write_open(open))
call('SET', ACCOUNT, record)
return reply(APPLIED)
