-- For wrk: each request has the next token of the file that TOKENS names.
local tokens = {}
for line in io.lines(os.getenv("TOKENS")) do
  tokens[#tokens + 1] = wrk.format("GET", "/auth", { Authorization = "Bearer " .. line })
end
local next = 0
function request()
  next = next % #tokens + 1
  return tokens[next]
end
function done(summary)
  io.stderr:write(string.format("%d %d %d\n", summary.requests, summary.duration, summary.errors.status))
end
