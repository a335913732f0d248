-- look: an account's records as they are, for readers who do the rules themselves.
--
-- KEYS  as every verb
-- ARGV  2 '<B' whether the open charges are wanted
-- reply a list: the usual reply, the account, its document, and its open charges by id
--       1 lost, 3 clock jump (a list of one each)
-- checks nothing
-- writes nothing

local stored = call('MGET', EPOCH, ACCOUNT, DOCUMENT)
local no = look_at_clock(stored[1])
if no then return { no } end
local all = {}
if unpack('<B', ARGV[2]) == 1 then all = call('HGETALL', OPEN) end
if stored[2] then
  local version, seq, mark = unpack('<Bi7i7', stored[2])
  if version == VERSION then account, now = { seq = seq }, math.max(now, mark) end
end
return { reply(APPLIED), stored[2] or '', stored[3] or '', all }
