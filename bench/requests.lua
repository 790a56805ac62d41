-- For wrk: sends the requests of a file in turn, and at the end prints what was measured as one line of JSON.
-- Arguments: the file (a path, a token and an ETag on each line, tabs between them, the last may be empty), and
-- the mean pause of a connection between an answer and its next request, in milliseconds (0: none).

local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, token, etag = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)$")
    local headers = { ["Authorization"] = "Bearer " .. token, ["Accept"] = "application/json" }
    if etag ~= "" then headers["If-None-Match"] = etag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  math.randomseed(os.time())
  at = math.random(#requests)
  local pause = tonumber(args[2])
  if pause > 0 then
    function delay() return math.floor(math.random() * 2 * pause + 0.5) end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local wrong = summary.errors
  io.write(string.format(
    '\n{"per_second":%.1f,"p50":%.3f,"p99":%.3f,"refused":%d,"failed":%d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    wrong.status,
    wrong.connect + wrong.read + wrong.write + wrong.timeout
  ))
end
