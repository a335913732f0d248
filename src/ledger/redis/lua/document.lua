-- document: writes an account's document if it is still the one that the change was made from.
--
-- KEYS  as every verb; 10 accounts of the partition  11 owner of a new key (the epoch: none)
-- ARGV  2 call: '<i7i7Bi7Hc0I4c0' version that is expected (0: none yet), version, status, restricted until
--         (-1: not), keys that may spend, the document
-- reply 0; 1 lost, 3 clock jump, 6 unknown account, 10 conflict: the key is another account's, 17 exists: it
--       is another version; 20 newer
-- checks the version
-- writes document, account, accounts, key

local ACCOUNTS, KEY = KEYS[10], KEYS[11]

local expected, version, status, restricted, active, document = unpack('<i7i7Bi7Hc0I4c0', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT, KEY)
local no = look_at_clock(stored[1])
if no then return no end
if KEY ~= EPOCH and stored[3] and stored[3] ~= account_id then return reply(CONFLICT) end
if expected == 0 then
  if stored[2] then return reply(EXISTS) end
  account = { seq = 0, mark = now, lease_next = NONE, wake_next = NONE, open = 0, next_no = 1,
    dead_next = NONE, dead_count = 0, lapsed_at = NONE, ranks = '\000\001\002\003\004\005', purses = {}, slots = {},
    counters = {}, paces = {}, allowances = {}, dead = '', rest = pack('<HI4', 0, 0) }
else
  no = read_account(stored[2])
  if no then return no end
  if account.document ~= expected then return reply(EXISTS) end
end
account.document, account.status, account.restricted, account.keys = version, status, restricted, active
local record = prepare('a', {})
put()
call('ZADD', ACCOUNTS, '0', account_id)
if KEY ~= EPOCH then call('SET', KEY, account_id) end
call('SET', DOCUMENT, document)
call('SET', ACCOUNT, record)
return reply(APPLIED)
