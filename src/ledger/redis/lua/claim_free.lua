-- claim_free: says that an account has its person's free credits, if not too many others have them. Never
-- taken back.
--
-- KEYS  1 epoch (of the person's partition); 10 claims
-- ARGV  2 '<I4' how many accounts may have them
-- reply 0: '<B' 1: it has them; 1 lost, 3 clock jump
-- checks who has them
-- writes claims

local CLAIMS = KEYS[10]

local limit = unpack('<I4', ARGV[2])
local no = look_at_clock(call('GET', EPOCH))
if no then return no end
if call('SISMEMBER', CLAIMS, account_id) == 1 then return reply(APPLIED, pack('<B', 1)) end
if call('SCARD', CLAIMS) >= limit then return reply(APPLIED, pack('<B', 0)) end
call('SADD', CLAIMS, account_id)
wrote = 1
return reply(APPLIED, pack('<B', 1))
