-- grant: gives credits. What becomes effective at once repays debt first.
--
-- KEYS  as every verb; 10 grant
-- ARGV  2 call: '<c32Bc0Bc0BBi7i7i7Hc0Bi7i7Hc0Hc0i7' fingerprint of the call, id, kind, class, priority, amount,
--         effective (-1: now), expires (-1: never), EXTRA, whether a bonus comes with it, the bonus's amount,
--         expires, EXTRA, what the stream is told beside it, how long a tombstone is kept
-- reply 0: '<i7' repaid, then the bucket as in the record, '<B' whether there is a bonus, its bucket
--       1 lost, 3 clock jump, 5 tick, 6 unknown account, 9 status '<B', 10 conflict, 18 too many '<Hc0',
--       19 invalid '<Hc0', 20 newer
-- checks the id, due work, its time, the account's status, the number of buckets, the sum
-- writes grant, account, stream; the index of wakes where a moment comes sooner; open and lapsed for due work

local GRANT = KEYS[10]
local LIVE_MAX = 64
local GRANT_HEAD = '<Bc32'

local r = {}
r.fingerprint, r.id, r.kind, r.class, r.priority, r.amount, r.effective, r.expires, r.extra, r.has_bonus,
  r.bonus, r.bonus_expires, r.bonus_extra, r.more, r.kept_ms = unpack('<c32Bc0Bc0BBi7i7i7Hc0Bi7i7Hc0Hc0i7', ARGV[2])

local function check()
  local start = math.max(r.effective, now)
  local function early(expires)
    return expires ~= NONE and expires <= start
  end
  if early(r.expires) or (r.has_bonus == 1 and early(r.bonus_expires)) then
    return told(INVALID, 'the grant would end before it begins: give a later end')
  end
  if account.status == CLOSED then return reply(ACCOUNT_STATUS, pack('<B', CLOSED)) end
  if find(r.id) then return reply(CONFLICT) end
  local live, there = 0, r.amount + (r.has_bonus == 1 and r.bonus or 0)
  for _, p in ipairs(account.purses) do
    if p.available > 0 or p.held > 0 then live = live + 1 end
    if p.kind == r.kind then there = there + p.available + p.held + (owes(p, r.kind) and p.spent or 0) end
  end
  if live >= LIVE_MAX then
    return told(TOO_MANY, 'an account has at most 64 buckets with credits left: use some up first')
  end
  if there > MAX then return told(INVALID, 'the account would have more than 2^53 micro-credits') end
  return nil
end

local stored = call('MGET', EPOCH, ACCOUNT, GRANT)
local no = look_at_clock(stored[1])
if no then return no end
if stored[3] then
  local version, fingerprint, rest = unpack(GRANT_HEAD, stored[3])
  if version ~= VERSION then return told(NEWER, 'the grant') end
  if fingerprint ~= r.fingerprint then return reply(CONFLICT) end
  return reply(APPLIED, string.sub(stored[3], rest))
end
no = read_account(stored[2])
if no then return no end
no = (may_be_due() and due_rules().catch_up()) or check()
if no then return no end
local effective = r.effective == NONE and now or r.effective
local p = make_purse(r.id, r.kind, r.class, r.amount, r.priority, effective, r.expires, r.extra)
local bonus
if r.has_bonus == 1 then
  bonus = make_purse(r.id .. '@bonus', r.kind, BONUS, r.bonus, r.priority, effective, r.bonus_expires,
    r.bonus_extra)
end
local repaid = 0
if effective > now then
  p.fresh = 1
  if bonus then bonus.fresh = 1 end
else
  repaid = repay(p) + (bonus and repay(bonus) or 0)
end
local body = pack('<i7', repaid) .. write_purse(p) .. pack('<B', r.has_bonus)
if bonus then body = body .. write_purse(bonus) end
local record = prepare('g', work_done and due_ends(r.kept_ms) or {}, r.more)
put(r.kept_ms)
if work_done then put_due(r.kept_ms) end
call('SET', GRANT, pack(GRANT_HEAD, VERSION, r.fingerprint) .. body)
call('SET', ACCOUNT, record)
return reply(APPLIED, body)
