-- charge: the record of one charge as it is. Asked without the account's keys it may answer that the
-- charge is open, and whose it is.
--
-- KEYS  as every verb, of which all but the epoch may be empty; 10 charge  11 texts
-- ARGV  2 '<Bc0' charge
-- reply a list: the usual reply, tombstone or pointer, texts, open charge, charge that a deadline ended;
--       those that are not there are empty; 1 lost, 3 clock jump (a list of one each)
-- checks nothing
-- writes nothing

local id = unpack('<Bc0', ARGV[2])
local stored = call('MGET', EPOCH, KEYS[10], KEYS[11])
local no = look_at_clock(stored[1])
if no then return { no } end
local open, lapsed = '', ''
if OPEN ~= EPOCH then
  open, lapsed = call('HGET', OPEN, id) or '', call('HGET', LAPSED, id) or ''
end
return { reply(APPLIED), stored[2] or '', stored[3] or '', open, lapsed }
