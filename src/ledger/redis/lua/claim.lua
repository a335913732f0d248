-- claim: says that a grant's id is an account's, wherever that account lies; or takes that back.
--
-- KEYS  1 epoch (of the id's partition); 10 claim
-- ARGV  2 '<B' 1: take, 0: give up
-- reply 0: '<B' whether it was new; 1 lost, 3 clock jump, 10 conflict: it is another account's
-- checks who has it
-- writes claim

local CLAIM = KEYS[10]
local stored = call('MGET', EPOCH, CLAIM)
local no = look_at_clock(stored[1])
if no then return no end
if stored[2] and stored[2] ~= account_id then return reply(CONFLICT) end
local take = unpack('<B', ARGV[2]) == 1
if take and not stored[2] then
  call('SET', CLAIM, account_id)
elseif not take and stored[2] then
  call('DEL', CLAIM)
end
return reply(APPLIED, pack('<B', stored[2] and 0 or 1))
