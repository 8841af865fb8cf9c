-- For wrk: each request has the next token of the file that TOKENS names. TARGET is the path, unless it is /auth.
local target = os.getenv("TARGET") or "/auth"
local requests = {}
local next = 0

-- Not before: only now is there a Host.
function init()
  for line in io.lines(os.getenv("TOKENS")) do
    requests[#requests + 1] = wrk.format("GET", target, { Authorization = "Bearer " .. line, Host = wrk.headers["Host"] })
  end
end

function request()
  next = next % #requests + 1
  return requests[next]
end

function done(summary)
  io.stderr:write(string.format("%d %d %d\n", summary.requests, summary.duration, summary.errors.status))
end
