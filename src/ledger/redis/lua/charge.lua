-- charge: the record of one charge as it is. Whether it is open is said only where the account is known.
--
-- KEYS  as every verb, of which all but the epoch may be empty; 10 charge  11 texts
-- ARGV  2 '<Bc0' charge
-- reply a list: the usual reply, tombstone, texts, open charge, charge that a deadline ended; those that are not
--       there are empty; 1 lost, 3 clock jump (a list of one each)
-- checks nothing
-- writes nothing

local id = unpack('<Bc0', ARGV[2])
local stored = call('MGET', EPOCH, KEYS[10], KEYS[11])
local no = look_at_clock(stored[1])
if no then return { no } end
local open = OPEN ~= EPOCH and call('HGET', OPEN, id) or ''
local lapsed = LAPSED ~= EPOCH and call('HGET', LAPSED, id) or ''
return { reply(APPLIED), stored[2] or '', stored[3] or '', open, lapsed }
