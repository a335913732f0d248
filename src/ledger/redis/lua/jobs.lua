-- Jobs as bytes, and the index of those that somebody is to ask about. Included by verbs about jobs.
--
-- Record of a job: JOB with its charge, its account, its sort, the upstream's id and the gateway's own record. Its
-- `revision` counts the records; moments that are not there are -1.

local UNKNOWN_JOB = 22
local JOB = '<Bi7i7i7i7i7i7i7Bc0Bc0Bc0Hc0I4c0'

-- The job, unless there is none or its time is over.
local function live_job(bytes)
  if not bytes then return nil end
  local version = string.byte(bytes, 1) or 0
  if version > VERSION then newer('a job') end
  if version < VERSION then broken('a job has no version that is known') end
  local j = {}
  _, j.revision, j.until_then, j.watch_at, j.begun, j.noted, j.over, j.forget_at, j.charge, j.account, j.sort,
    j.upstream_id, j.record = unpack(JOB, bytes)
  if j.forget_at <= now then return nil end
  return j
end

local function write_job(j)
  return pack(JOB, VERSION, j.revision, j.until_then, j.watch_at, j.begun, j.noted, j.over, j.forget_at, #j.charge,
    j.charge, #j.account, j.account, #j.sort, j.sort, #j.upstream_id, j.upstream_id, #j.record, j.record)
end

-- Nobody asks about a job that is forgotten then.
local function watched_at(at, forget_at)
  if at >= forget_at then return NONE end
  return at
end

local function list_job(watches, name, at)
  if at == NONE then call('ZREM', watches, name) else call('ZADD', watches, digits(at), name) end
end
