-- commit: writes what the rules have decided elsewhere, if everything that they have decided with is still
-- so.
--
-- KEYS  as every verb; 10 charge (the epoch: none is changed)
-- ARGV  2 call: '<c16i7I4c0I4c0BBc0I4c0I4c0i7I4c0' the ledger, the time that was decided with, the account as
--         it was and as it becomes, what sort of charge changes (0 none, 1 open, 2 ended, 3 ended by a
--         deadline), its id, its record as it was and as it becomes, when the account wakes (-1: never),
--         the stream's entry
-- reply 0; 1 lost, 3 clock jump, 17 exists: something has changed meanwhile, or too much time has passed
-- checks the ledger, the account, the charge, the time
-- writes account, charge, stream, the index of wakes

local CHARGE = KEYS[10]
local OPEN_ONE, ENDED_ONE, LAPSED_ONE = 1, 2, 3
local LATE_MS = 2000

local ledger, decided, was, becomes, sort, charge, charge_was, charge_becomes, wakes, message =
  unpack('<c16i7I4c0I4c0BBc0I4c0I4c0i7I4c0', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT)
local no = look_at_clock(stored[1])
if no then return no end
local _, _, id = unpack(EPOCH_RECORD, stored[1])
if id ~= ledger or stored[2] ~= was then return reply(EXISTS) end
local _, seq, mark = unpack('<Bi7i7', was)
if math.abs(math.max(now, mark) - decided) > LATE_MS then return reply(EXISTS) end
local there = ''
if sort == OPEN_ONE then there = call('HGET', OPEN, charge) end
if sort == ENDED_ONE then there = call('GET', CHARGE) end
if sort == LAPSED_ONE then there = call('HGET', LAPSED, charge) end
if there ~= charge_was then return reply(EXISTS) end
-- No key may have another type behind the first write.
call('ZCARD', WAKES)
call('XLEN', STREAM)
now, wrote = decided, 1
if wakes == NONE then call('ZREM', WAKES, account_id) else call('ZADD', WAKES, digits(wakes), account_id) end
call('XADD', STREAM, '*', 'e', message)
if sort == OPEN_ONE then call('HSET', OPEN, charge, charge_becomes) end
if sort == ENDED_ONE then call('SET', CHARGE, charge_becomes, 'KEEPTTL') end
if sort == LAPSED_ONE then call('HSET', LAPSED, charge, charge_becomes) end
call('SET', ACCOUNT, becomes)
account = { seq = seq + 1 }
return reply(APPLIED)
