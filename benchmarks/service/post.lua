-- Sends the files of a folder in turn, and prints one line of JSON: wrk … -s post.lua ADDRESS -- FOLDER COUNT TYPE

local requests, at = {}, 0

function init(arguments)
  for n = 0, tonumber(arguments[2]) - 1 do
    local file = assert(io.open(string.format("%s/%03d.body", arguments[1], n), "rb"))
    requests[#requests + 1] = wrk.format("POST", nil, {["Content-Type"] = arguments[3]}, file:read("*a"))
    file:close()
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "per_second": %.1f, "p50_ms": %.2f, "p99_ms": %.2f, "faults": %d}\n',
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
