-- returned: the server was away; nothing of the partition is ended for one lease length, since leases
-- could not be renewed meanwhile.
--
-- KEYS  1 epoch
-- ARGV  2 '<i7' lease
-- reply 0; 1 lost, 3 clock jump, 20 newer
-- checks that there is a ledger
-- writes epoch

local stored = call('GET', EPOCH)
local no = look_at_clock(stored)
if no then return no end
local version, test, epoch, grace_until, created = unpack(EPOCH_RECORD, stored)
local lease_ms = unpack('<i7', ARGV[2])
if now + lease_ms > grace_until then
  call('SET', EPOCH, pack(EPOCH_RECORD, version, test, epoch, now + lease_ms, created))
end
return reply(APPLIED)
