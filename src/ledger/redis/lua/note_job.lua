-- note_job: replaces what is known of a job, if it is still the revision that the change was made from. The same call
-- again changes nothing.
--
-- KEYS  1 epoch; 10 job  11 index of jobs that are watched
-- ARGV  2 call: '<Bc0i7Bi7BI4c0' the job's name in the index, revision, how it is watched (0 as before, 1 from the
--         moment that follows, 2 never again), moment, whether it has ended, record
-- reply 0: '<i7i7' revision, when it was first said to have ended (-1: never)
--       1 lost, 3 clock jump, 10 conflict: it is another revision, 20 newer, 22 unknown job
-- checks the revision
-- writes job, index

local JOB_KEY, WATCHES = KEYS[10], KEYS[11]
local FROM, NEVER = 1, 2

local name, revision, how, from, has_ended, job_record = unpack('<Bc0i7Bi7BI4c0', ARGV[2])
local stored = call('MGET', EPOCH, JOB_KEY)
local no = look_at_clock(stored[1])
if no then return no end
local j = live_job(stored[2])
if not j then return reply(UNKNOWN_JOB) end
local again = j.revision == revision + 1 and j.record == job_record and (j.over ~= NONE or has_ended == 0)
if not again then
  if j.revision ~= revision then return reply(CONFLICT) end
  j.revision, j.record, j.noted = revision + 1, job_record, now
  if has_ended == 1 and j.over == NONE then j.over = now end
  if how == NEVER or j.over ~= NONE then
    j.watch_at = NONE
  elseif how == FROM then
    j.watch_at = watched_at(from, j.forget_at)
  end
  call('ZCARD', WATCHES)
  wrote = 1
  call('SET', JOB_KEY, write_job(j), 'KEEPTTL')
  list_job(WATCHES, name, j.watch_at)
end
return reply(APPLIED, pack('<i7i7', j.revision, j.over))
