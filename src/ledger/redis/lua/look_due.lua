-- look_due: whether an account that an index names has something to do; if not, the indexes are made
-- exact.
--
-- KEYS  as every verb
-- ARGV  none of its own
-- reply 0: '<i7' since when something is due, or -1; 1 lost, 3 clock jump, 6 unknown account, 20 newer
-- checks what is due
-- writes account and indexes, where they were too early; nothing of money

local stored = call('MGET', EPOCH, ACCOUNT)
local no = look_at_clock(stored[1])
if no then return no end
if not stored[2] then
  -- Only an index knows it.
  call('ZREM', LEASES, account_id)
  call('ZREM', WAKES, account_id)
  return reply(UNKNOWN_ACCOUNT)
end
no = read_account(stored[2])
if no then return no end
if not may_be_due() then
  -- Within grace the index is right and has to wait.
  return reply(APPLIED, pack('<i7', NONE))
end
local rules = due_rules()
local items = rules.list()
rules.finish()
local earliest = NONE
local function sooner_than(at)
  if at ~= NONE and (earliest == NONE or at < earliest) then earliest = at end
end
if #items > 0 then
  for _, o in pairs(open_charges()) do sooner_than(next_of(o)) end
  for _, p in ipairs(account.purses) do
    if p.standing == FROZEN then
      sooner_than(NONE)
    elseif p.fresh == 1 then
      sooner_than(p.effective)
    elseif p.available > 0 then
      sooner_than(p.expires)
    end
  end
  return reply(APPLIED, pack('<i7', earliest))
end
bookkeeping = true
local record = prepare('i', {})
put()
call('SET', ACCOUNT, record)
return reply(APPLIED, pack('<i7', NONE))
