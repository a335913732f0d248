-- claim: says that a grant's id is an account's, wherever that account lies; or takes that back. Calls that
-- claim the same are counted: one that was refused must not give up what another has used meanwhile.
--
-- KEYS  1 epoch (of the id's partition); 10 claim
-- ARGV  2 '<B' 1: take, 0: give up
-- reply 0; 1 lost, 3 clock jump, 10 conflict: it is another account's, 20 newer '<Hc0'
-- checks who has it
-- writes claim

local CLAIM = KEYS[10]
local CLAIM_HEAD = '<Bi7'

local stored = call('MGET', EPOCH, CLAIM)
local no = look_at_clock(stored[1])
if no then return no end
local callers = 0
if stored[2] then
  local version, count, at = unpack(CLAIM_HEAD, stored[2])
  if version ~= VERSION then return told(NEWER, 'the claim') end
  if string.sub(stored[2], at) ~= account_id then return reply(CONFLICT) end
  callers = count
end
callers = callers + (unpack('<B', ARGV[2]) == 1 and 1 or -1)
if callers > 0 then
  call('SET', CLAIM, pack(CLAIM_HEAD, VERSION, callers) .. account_id)
else
  call('DEL', CLAIM)
end
return reply(APPLIED)
