-- watch_job: gives a job to one caller, if somebody is to ask about it now, and to nobody else for some time. The index
-- is put right where it names one that nobody is to ask about.
--
-- KEYS  1 epoch; 10 job  11 index of jobs that are watched
-- ARGV  2 call: '<Bc0i7' the job's name in the index, for how long
-- reply 0: the job's record, or nothing: somebody else has it, or nobody is to ask; 1 lost, 3 clock jump, 20 newer
-- checks when somebody is to ask
-- writes job, index

local JOB_KEY, WATCHES = KEYS[10], KEYS[11]

local name, lease_ms = unpack('<Bc0i7', ARGV[2])
local stored = call('MGET', EPOCH, JOB_KEY)
local no = look_at_clock(stored[1])
if no then return no end
local j = live_job(stored[2])
if not j or j.watch_at == NONE or j.watch_at > now then
  list_job(WATCHES, name, j and j.watch_at or NONE)
  return reply(APPLIED)
end
j.watch_at = watched_at(now + lease_ms, j.forget_at)
call('ZCARD', WATCHES)
wrote = 1
local bytes = write_job(j)
call('SET', JOB_KEY, bytes, 'KEEPTTL')
list_job(WATCHES, name, j.watch_at)
return reply(APPLIED, bytes)
