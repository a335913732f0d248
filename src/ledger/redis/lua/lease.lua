-- lease: takes, renews or gives up the right to export the streams, which one process at a time has.
--
-- KEYS  1 epoch (of the first partition); 10 lease
-- ARGV  2 call: '<Bc0i7' name, for how long (0: give it up)
-- reply 0: '<Bc0' who has it now (empty: nobody); 1 lost
-- checks who has it
-- writes lease

local LEASE = KEYS[10]
local name, ms = unpack('<Bc0i7', ARGV[2])
local stored = call('MGET', EPOCH, LEASE)
if not stored[1] then return reply(LOST) end
local holder = stored[2] or ''
if holder == '' or holder == name then
  if ms > 0 then
    call('SET', LEASE, name, 'PX', digits(ms))
    holder = name
  elseif holder == name then
    call('DEL', LEASE)
    holder = ''
  end
end
return reply(APPLIED, pack('<Bc0', #holder, holder))
