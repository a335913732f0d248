-- alias: points another name at an account or at one of its keys, wherever that account lies; or takes that
-- back.
--
-- KEYS  1 epoch (of the alias's partition); 10 alias
-- ARGV  2 '<B' 1: point, 0: take back; then the record
-- reply 0; 1 lost, 3 clock jump, 17 exists: it points at something else
-- checks where it points
-- writes alias

local ALIAS = KEYS[10]

local point, at = unpack('<B', ARGV[2])
local record = string.sub(ARGV[2], at)
local stored = call('MGET', EPOCH, ALIAS)
local no = look_at_clock(stored[1])
if no then return no end
if stored[2] and stored[2] ~= record then return reply(EXISTS) end
if point == 1 and not stored[2] then
  call('SET', ALIAS, record)
  wrote = 1
elseif point == 0 and stored[2] then
  call('DEL', ALIAS)
  wrote = 1
end
return reply(APPLIED)
