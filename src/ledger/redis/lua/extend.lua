-- extend: renews the leases of running exchanges of one account. Never revives: a lapsed lease stays
-- lapsed whether or not its due work was done.
--
-- KEYS  as every verb
-- ARGV  2 call: '<i7H' lease, charges; '<Bc0' each
-- reply 0: '<i7' per charge: until when, or -1 if it has ended or lapsed
--       1 lost, 3 clock jump, 20 newer; an unknown account's have all ended, and those that cannot be read
-- checks each charge
-- writes open

-- How the record of an open charge begins, and what its flags say if it has a deadline.
local OPEN_HEAD, OF_DEADLINE = '<BBi7', 2

local lease_ms, n, at = unpack('<i7H', ARGV[2])
local stored = call('MGET', EPOCH, ACCOUNT)
local no = look_at_clock(stored[1])
if no then return no end
if stored[2] then
  no = read_account(stored[2])
  if no then return no end
end
local renewed, answers = {}, {}
for i = 1, n do
  local charge
  charge, at = unpack('<Bc0', ARGV[2], at)
  local bytes = stored[2] and call('HGET', OPEN, charge)
  local until_then = NONE
  -- One that this version cannot read is not renewed; the others must not suffer.
  if bytes and string.byte(bytes, 1) == VERSION then
    local _, flags, lease_end, rest = unpack(OPEN_HEAD, bytes)
    if flags % 2 == 0 and (grace or lease_end > now) then
      -- One that waits for its job has a deadline, and ends when it was said to.
      local waits = math.floor(flags / OF_DEADLINE) % 2 == 1
      until_then = waits and lease_end or math.max(lease_end, math.min(now + lease_ms, MAX))
      if until_then ~= lease_end then
        renewed[charge] = pack(OPEN_HEAD, VERSION, flags, until_then) .. string.sub(bytes, rest)
      end
    end
  end
  answers[i] = pack('<i7', until_then)
end
for charge, bytes in pairs(renewed) do
  wrote = 1
  call('HSET', OPEN, charge, bytes)
end
return reply(APPLIED, table.concat(answers))
