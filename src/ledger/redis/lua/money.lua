-- Drawing from buckets, giving back to them, debt. Included by verbs that move money.
--
-- Invariant: the walk is the model's: two stores with the same buckets draw the same legs.

local function owes(p, kind)
  return p.class == DEBT and p.kind == kind and p.spent > 0
end

-- Draws up to `amount` from what may pay for a use, into a column; less where there is less.
local function draw(use, amount, to)
  local legs, need = {}, amount
  for _, p in ipairs(account.purses) do
    if need == 0 then break end
    if p.available > 0 and pays(p, use, now) then
      local take = math.min(need, p.available)
      post(p, 'available', to, take)
      need = need - take
      legs[#legs + 1] = { bucket = p.id, amount = take }
    end
  end
  return legs, amount - need
end

-- Splits legs after the first `keep`: what stays with the charge, and what goes back.
local function split(legs, keep)
  local head, tail = {}, {}
  for _, leg in ipairs(legs) do
    local stays = math.min(keep, leg.amount)
    keep = keep - stays
    if stays > 0 then head[#head + 1] = { bucket = leg.bucket, amount = stays } end
    if leg.amount > stays then tail[#tail + 1] = { bucket = leg.bucket, amount = leg.amount - stays } end
  end
  return head, tail
end

local function join(legs, bucket, amount)
  for _, leg in ipairs(legs) do
    if leg.bucket == bucket then
      leg.amount = leg.amount + amount
      return
    end
  end
  legs[#legs + 1] = { bucket = bucket, amount = amount }
end

local function add_goodwill(charge, kind, amount)
  local GOODWILL_MS = 259200000
  local id = 'gw:' .. charge
  local p = find(id)
  local taken = 0
  local function pays_like(q)
    return q.kind == kind and q.class == GOODWILL and q.standing == ACTIVE and q.effective <= now and not ended(q)
  end
  while p and not pays_like(p) do
    -- It has ended meanwhile, or an operator has used the id for something else. Ids with @ belong to the ledger
    -- itself.
    id = 'gw:' .. charge .. '@returned' .. (taken > 0 and digits(taken) or '')
    taken, p = taken + 1, find(id)
  end
  if p then
    grow(p, 'available', amount)
  else
    make_purse(id, kind, GOODWILL, amount, 0, now, now + GOODWILL_MS, '')
  end
end

-- What is owed for a purchase whose payment failed; nil: nothing was said of that.
local function reversal(p)
  return find('debt:' .. p.id)
end

-- Forgives what is still owed of so much; the answer is how much that was.
local function forgive_unpaid(debt, amount)
  local owed = math.min(debt.spent, amount)
  if owed > 0 then
    post(debt, 'spent', 'voided', owed)
    debt.repaid_by = debt.repaid_by or {}
    join(debt.repaid_by, debt.id, owed)
  end
  return owed
end

local give_leg_back

-- What was advanced comes back: what is still owed of it is not owed any more; what was repaid returns to the
-- buckets that repaid it, the last one first.
local function forgive(charge, debt, amount)
  local left = amount - forgive_unpaid(debt, amount)
  while left > 0 do
    local at
    for i, leg in ipairs(debt.repaid_by or NOTHING) do
      if leg.bucket ~= debt.id then at = i end
    end
    if not at then broken(debt.id .. ' was not repaid so much') end
    local last = debt.repaid_by[at]
    local back = math.min(left, last.amount)
    last.amount = last.amount - back
    if last.amount == 0 then table.remove(debt.repaid_by, at) end
    join(debt.repaid_by, debt.id, back)
    give_leg_back(charge, last.bucket, back, 'spent')
    left = left - back
  end
end

-- Gives back what one bucket carries. What returns to a bucket that has ended expires; if it was bought or came
-- with a purchase, it lives on as good will. What returns to a bucket that was taken back is void. What was
-- advanced is not owed any more.
give_leg_back = function(charge, bucket, amount, from)
  local p = purse_of(bucket)
  if p.class == DEBT then
    forgive(charge, p, amount)
  elseif p.standing == VOIDED then
    post(p, from, 'voided', amount)
    local debt = from == 'spent' and reversal(p)
    if debt then forgive(charge, debt, amount) end
  elseif ended(p) then
    post(p, from, 'expired', amount)
    if p.class == PURCHASED or p.class == BONUS then add_goodwill(charge, p.kind, amount) end
  else
    post(p, from, 'available', amount)
  end
end

local function give_back(charge, legs, from)
  for _, leg in ipairs(legs) do give_leg_back(charge, leg.bucket, leg.amount, from) end
end

-- Moves legs from what is held to what is spent. What is spent of a purchase whose payment had failed by then is
-- owed.
local function spend(legs)
  for _, leg in ipairs(legs) do
    local p = purse_of(leg.bucket)
    post(p, 'held', 'spent', leg.amount)
    local debt = p.standing == VOIDED and reversal(p)
    if debt then grow(debt, 'spent', leg.amount) end
  end
end

-- Debts and grants in the order in which they were made.
local function by_age(test)
  local found = {}
  for _, p in ipairs(account.purses) do
    if test(p) then found[#found + 1] = p end
  end
  table.sort(found, function(p, q) return p.no < q.no end)
  return found
end

-- Repays open debts of the bucket's kind with at most so much of it, oldest first; the answer is how much.
local function repay_up_to(p, most)
  p.fresh = 0
  local all = math.min(p.available, most)
  local left = all
  for _, debt in ipairs(by_age(function(q) return owes(q, p.kind) end)) do
    local part = math.min(left, debt.spent)
    if part == 0 then break end
    post(debt, 'spent', 'voided', part)
    debt.repaid_by = debt.repaid_by or {}
    debt.repaid_by[#debt.repaid_by + 1] = { bucket = p.id, amount = part }
    left = left - part
  end
  post(p, 'available', 'spent', all - left)
  return all - left
end

local function repay(p)
  return repay_up_to(p, p.available)
end

-- Whether it has become effective and did not repay debt yet. A frozen one pays nothing until it is thawed.
local function awake(p)
  return p.fresh == 1 and p.effective <= now and p.standing ~= FROZEN
end

-- How much more may be owed for this charge.
local function room(open)
  local DEBTS_MAX = 64
  local count, owed, largest = 0, 0, open.held
  for _, p in ipairs(account.purses) do
    if owes(p, open.kind) then
      count, owed, largest = count + 1, owed + p.spent, math.max(largest, p.hold)
    end
  end
  if count >= DEBTS_MAX then return 0 end
  local bound = open.max_debt == NONE and largest or open.max_debt
  return math.min(open.held, math.max(0, bound - math.min(owed, MAX)))
end

-- Covers `extra` for a charge: drawn, then advanced as debt, then let go. Legs join `legs`.
local function cover(open, legs, extra)
  local more, drawn = draw(open, extra, 'spent')
  for _, leg in ipairs(more) do join(legs, leg.bucket, leg.amount) end
  local rest = extra - drawn
  local debt = open.over_run == 1 and math.min(rest, room(open)) or 0
  if debt > 0 then
    local id = 'debt:' .. open.charge
    if find(id) then broken('there is a bucket ' .. id .. ' already') end
    local p = make_purse(id, open.kind, DEBT, debt, 0, now, NONE, '')
    p.hold = open.held
    post(p, 'available', 'spent', debt)
    join(legs, id, debt)
  end
  return debt, rest - debt
end
