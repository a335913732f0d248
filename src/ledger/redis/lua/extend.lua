-- extend: renews the leases of running exchanges of one account. Never revives: a lapsed lease stays
-- lapsed whether or not its due work was done.
--
-- ARGV  2 call: '<i8H' lease, charges; '<Bc0' each
-- reply 0: '<i8' per charge: until when, or -1 if it has ended or lapsed
--       1 lost, 3 clock jump, 20 newer; an unknown account's have all ended
-- checks each charge
-- writes open

local lease_ms, n, at = unpack('<i8H', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT)
local no = look_at_clock(stored[1])
if no then return no end
if stored[2] then
  no = read_account(stored[2])
  if no then return no end
end
local answers = {}
for i = 1, n do
  local charge
  charge, at = unpack('<Bc0', ARGV[2], at)
  local bytes = stored[2] and call('HGET', OPEN, charge)
  local until_then = NONE
  if bytes then
    local version, unknown, lease_end = unpack('<BBi8', bytes)
    if version ~= VERSION then broken('charge ' .. charge .. ' was written by another version') end
    if unknown == 0 and (grace or lease_end > now) then
      until_then = math.max(lease_end, math.min(now + lease_ms, MAX))
      if until_then ~= lease_end then
        wrote = 1
        call('HSET', OPEN, charge, pack('<BBi8', version, unknown, until_then) .. string.sub(bytes, 11))
      end
    end
  end
  answers[i] = pack('<i8', until_then)
end
return reply(APPLIED, table.concat(answers))
