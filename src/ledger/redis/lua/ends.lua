-- How a charge ends, and is corrected once after it had ended otherwise.

local function total_of(legs)
  local all = 0
  for _, leg in ipairs(legs) do all = all + leg.amount end
  if all > MAX then broken('a sum of legs is out of range') end
  return all
end

-- A tombstone of an open charge, which leaves the account's slots and count.
local function tomb_of(o, e)
  if o.unknown == 0 then adjust_slots(o, -1) end
  account.open = account.open - 1
  -- Kept for ever until now, the account was still found among the leases.
  if account.open == 0 and account.lease_next == NONE then lease_moved = true end
  e.charge, e.account, e.at, e.by_deadline, e.late, e.refunds = o.charge, account_id, now, 0, 0, ''
  e.charged, e.core = total_of(e.legs), write_core(o)
  return e
end

-- Heads of the legs are spent, tails return, what exceeds is covered.
local function settle_open(o, actual)
  local kept = math.min(actual, o.held)
  local legs, tail = split(o.legs, kept)
  spend(legs)
  give_back(o.charge, tail, 'held')
  local debt, absorbed = cover(o, legs, actual - kept)
  recount(o, actual)
  return tomb_of(o, { state = SETTLED, actual = actual, legs = legs, returned = o.held - kept, debt = debt,
    absorbed = absorbed })
end

local function release_open(o)
  give_back(o.charge, o.legs, 'held')
  uncount(o)
  return tomb_of(o, { state = RELEASED, actual = 0, legs = {}, returned = o.held, debt = 0, absorbed = 0 })
end

-- Corrects a charge that was released, or that its deadline charged: what was taken too much goes back,
-- what is missing is covered like an over-run, bounded by the hold that it had. A refusal, or nil.
local function correct(e, state, actual)
  local LATE_MS = 3600000
  local o = core_of(e)
  local untouched = not (e.state == SETTLED and e.by_deadline == 0) and e.late == 0 and e.refunds == ''
  if not untouched or not o or now - e.at > LATE_MS then return reply(ENDED, pack('<B', e.state)) end
  local kept = math.min(actual, e.charged)
  local legs, tail = split(e.legs, kept)
  give_back(e.charge, tail, 'spent')
  local debt, absorbed = cover(o, legs, actual - kept)
  e.state, e.actual, e.legs, e.charged, e.returned = state, actual, legs, total_of(legs), math.max(0, o.held - actual)
  e.debt, e.absorbed, e.by_deadline, e.late = e.debt + debt, e.absorbed + absorbed, 0, 1
  if state == SETTLED then recount(o, actual) else uncount(o) end
  e.core = write_core(o)
  return nil
end
