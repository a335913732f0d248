-- whole: an account's records and one charge's as they are, for verbs that the rules decide elsewhere and
-- `commit` writes.
--
-- KEYS  as every verb; 10 charge (the epoch: none is asked about)
-- ARGV  2 '<Bc0' charge (empty: none)
-- reply a list: the usual reply, the epoch, the account, its document, its open charges by id, tombstone,
--       charge that a deadline ended; those that are not there are empty
--       1 lost, 3 clock jump (a list of one each)
-- checks nothing
-- writes nothing

local CHARGE = KEYS[10]

local charge = unpack('<Bc0', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT, DOCUMENT)
local no = look_at_clock(stored[1])
if no then return { no } end
local tomb, lapsed = '', ''
if CHARGE ~= EPOCH then
  tomb, lapsed = call('GET', CHARGE) or '', call('HGET', LAPSED, charge) or ''
end
if stored[2] then
  local version, seq, mark = unpack('<Bi7i7', stored[2])
  if version == VERSION then account, now = { seq = seq }, math.max(now, mark) end
end
return { reply(APPLIED), stored[1], stored[2] or '', stored[3] or '', call('HGETALL', OPEN), tomb, lapsed }
