-- For wrk: each request has the next token of the file that TOKENS names. TARGET is the path, unless it is /auth. With
-- BROWSER it has the headers that a proxy passes on from a browser.
local target = os.getenv("TARGET") or "/auth"
local browser = os.getenv("BROWSER") and {
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8",
  ["Cache-Control"] = "max-age=0",
  ["Cookie"] = "theme=dark; consent=2026-01-01; visitor=3f1c8f0e-6f8b-4a6c-9d34-0d9f4c1a7b55",
  ["Referer"] = "https://app.example.org/orders?page=2",
  ["Sec-Ch-Ua"] = '"Chromium";v="131", "Not_A Brand";v="24"',
  ["Sec-Ch-Ua-Mobile"] = "?0",
  ["Sec-Ch-Ua-Platform"] = '"Linux"',
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "same-origin",
  ["Upgrade-Insecure-Requests"] = "1",
  ["X-Forwarded-For"] = "203.0.113.9",
  ["X-Forwarded-Proto"] = "https",
} or {}
local tokens = {}
local next = 0
local before, after

-- Not before: only now is there a Host. Whole requests of a browser would take more memory than wrk's Lua has.
function init()
  for line in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = line end
  local headers = { Authorization = "Bearer TOKEN", Host = wrk.headers["Host"] }
  for name, value in pairs(browser) do headers[name] = value end
  before, after = wrk.format("GET", target, headers):match("^(.*)TOKEN(.*)$")
end

function request()
  next = next % #tokens + 1
  return before .. tokens[next] .. after
end

function done(summary, latency)
  io.stderr:write(string.format(
    "%d %d %d %d %d\n",
    summary.requests, summary.duration, summary.errors.status, latency:percentile(50), latency:percentile(99)
  ))
end
