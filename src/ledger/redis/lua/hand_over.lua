-- hand_over: the exchange that began a job is over; its charge waits for the job. Its end becomes lease and
-- deadline, and it belongs to no instance any more; what is said of it stays until something is said of its end. The same call again changes nothing.
--
-- KEYS  as `ending` says; 12 job  13 index of jobs that are watched
-- ARGV  2 call: as `ending` says, then HANDING below (the job's name in the index, until when, first watch (-1:
--         never), how far ahead at most, how long it is kept behind its last deadline, sort, upstream's id, record)
-- reply 0: '<Bi7i7' state of the charge (0 held, 1 unknown, 2 settled, 3 released), until when, revision
--       1 lost, 3 clock jump, 5 tick, 6 unknown account, 8 unknown charge, 12 ended '<B', 17 exists: it is another
--       charge's job, 20 newer
-- checks due work, the job, that the charge is open
-- writes job, its index, open, account; the index where its end comes sooner; stream and lapsed for due work

local HANDING = '<Bc0i7i7i7i7Bc0Hc0I4c0'
local JOB_KEY, WATCHES = KEYS[12], KEYS[13]

local function handed(j, state)
  return reply(APPLIED, pack('<Bi7i7', state, j.until_then, j.revision))
end

local _, _, _, _, _, _, _, behind = unpack(ENDING, ARGV[2])
local job_name, ends, watch_at, ahead_ms, job_kept_ms, sort, upstream_id, job_record = unpack(HANDING, ARGV[2], behind)
local known = live_job(call('GET', JOB_KEY))
if known and known.charge ~= r.charge then return reply(EXISTS) end
if not open then
  if not e then return reply(UNKNOWN_CHARGE) end
  if known then return handed(known, e.state) end
  return reply(ENDED, pack('<B', e.state))
end
if known then return handed(known, open.unknown) end

ends = math.min(ends, now + ahead_ms)
local last = math.min(math.max(ends, now) + open.reconcile, MAX)
-- No instance recovers it.
local revision, _, rest_at = unpack('<Hc0Hc0', open.rest)
open.rest = pack('<Hc0H', #revision, revision, 0) .. string.sub(open.rest, rest_at)
if open.unknown == 1 then
  if open.deadline ~= NONE then open.deadline = math.max(open.deadline, math.min(ends + open.reconcile, MAX)) end
else
  open.lease_end, open.deadline, open.timeout = ends, ends, math.max(0, ends - open.begun)
end
if r.explanation ~= '' then open.explanation = r.explanation end
expect_at(next_of(open))
local j = { revision = 1, until_then = ends, watch_at = watch_at, begun = now, noted = NONE, over = NONE,
  forget_at = math.min(last + job_kept_ms, MAX), charge = r.charge, account = account_id, sort = sort,
  upstream_id = upstream_id, record = job_record }
j.watch_at = watched_at(watch_at, j.forget_at)
local record = prepare('t', work_done and due_ends(r.kept_ms) or {})
-- No key may have another type behind the first write.
call('ZCARD', WATCHES)
put(r.kept_ms)
if work_done then put_due(r.kept_ms) end
call('HSET', OPEN, r.charge, write_open(open))
call('SET', JOB_KEY, write_job(j), 'PX', digits(j.forget_at - now))
list_job(WATCHES, job_name, j.watch_at)
call('SET', ACCOUNT, record)
return handed(j, open.unknown)
