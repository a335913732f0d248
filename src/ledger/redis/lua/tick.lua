-- tick: does an account's due work, a bounded part at a time.
--
-- KEYS  as every verb
-- ARGV  2 call: '<i7' how long a tombstone is kept
-- reply 0: '<I4' how much was done; 1 lost, 3 clock jump, 6 unknown account, 20 newer
-- checks what is due
-- writes account, open, lapsed, history, stream, indexes

local kept_ms = unpack('<i7', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT)
local no = look_at_clock(stored[1]) or read_account(stored[2])
if no then return no end
if not may_be_due() then return reply(APPLIED, pack('<I4', 0)) end
local done = due_rules().tick()
-- Where the indexes were only too early, they alone are put right.
bookkeeping = done == 0
local record = prepare('t', due_ends(kept_ms))
put(kept_ms)
put_due(kept_ms)
call('SET', ACCOUNT, record)
return reply(APPLIED, pack('<I4', done))
