-- exported: takes entries that lie in files out of the stream, by name, and remembers the last of them. The
-- names are what makes it safe: nothing else leaves, whatever has become of the order of ids meanwhile.
--
-- KEYS  1 epoch; 9 stream  10 exported
-- ARGV  2 call: '<c16Hc0H' ledger that they are of, what is to be remembered, ids of '<Bc0'
-- reply 0: '<I4Hc0' how many were there, what was remembered before; 1 lost: there is none, or another
-- checks the ledger
-- writes stream; exported if one was there

local EXPORTED = KEYS[10]
local ledger, note, n, at = unpack('<c16Hc0H', ARGV[2])
local stored = call('MGET', EPOCH, EXPORTED)
if not stored[1] then return reply(LOST) end
local _, _, id = unpack(EPOCH_RECORD, stored[1])
if id ~= ledger then return reply(LOST) end
local ids = {}
for i = 1, n do
  ids[i], at = unpack('<Bc0', ARGV[2], at)
end
local there = call('XDEL', STREAM, spread(ids))
if there > 0 then call('SET', EXPORTED, note) end
local before = stored[2] or ''
return reply(APPLIED, pack('<I4Hc0', there, #before, before))
