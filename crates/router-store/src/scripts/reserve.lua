-- Counts one call in all its buckets, or in none, and says how they stand.
--
-- KEYS  n counters (hash: s start, e end of the span, r requests, i o tokens, d cost),
--       n flights (sorted set: one member a call, scored by the end of its lease),
--       what is kept out of the provider (hash)
-- ARGV  n, name of the call, length of a lease in ms; then for each bucket
--       start, end, input, output, cost, and the caps: requests, tokens, input, output, cost,
--       concurrent
-- Returns 1 or 0, seven figures for each bucket, and what is kept out.

local n, call, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function room(used, cap, wanted)
  cap = tonumber(cap)
  if not cap then return true end
  -- A request that alone is larger than the cap is let into an empty bucket.
  return used + math.min(math.max(wanted, 1), math.max(cap, 1)) <= cap
end

local fits, counters = true, {}
for k = 1, n do
  local at = 3 + (k - 1) * 11
  local held = redis.call('HMGET', KEYS[k], 's', 'e', 'r', 'i', 'o', 'd')
  local c = { start = tonumber(ARGV[at + 1]), stop = tonumber(ARGV[at + 2]), r = 0, i = 0, o = 0, d = 0, f = 0 }
  if held[1] and tonumber(held[1]) >= c.start then
    c = { start = tonumber(held[1]), stop = tonumber(held[2]), r = tonumber(held[3]),
          i = tonumber(held[4]), o = tonumber(held[5]), d = tonumber(held[6] or 0), f = 0 }
  end
  c.input, c.output, c.cost = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  c.concurrent = ARGV[at + 11] ~= ''
  if c.concurrent then
    redis.call('ZREMRANGEBYSCORE', KEYS[n + k], '-inf', now)
    c.f = redis.call('ZCARD', KEYS[n + k])
  end
  fits = fits
    and room(c.r, ARGV[at + 6], 1)
    and room(c.i + c.o, ARGV[at + 7], c.input + c.output)
    and room(c.i, ARGV[at + 8], c.input)
    and room(c.o, ARGV[at + 9], c.output)
    and room(c.d, ARGV[at + 10], c.cost)
    and room(c.f, ARGV[at + 11], 1)
  counters[k] = c
end

local reply = { fits and 1 or 0 }
for k = 1, n do
  local c = counters[k]
  if fits then
    c.r, c.i, c.o, c.d = c.r + 1, c.i + c.input, c.o + c.output, c.d + c.cost
    redis.call('HSET', KEYS[k], 's', c.start, 'e', c.stop, 'r', c.r, 'i', c.i, 'o', c.o,
      'd', c.d)
    redis.call('PEXPIREAT', KEYS[k], math.max(c.stop, now) + 3600000)
    if c.concurrent then
      redis.call('ZADD', KEYS[n + k], now + lease, call)
      redis.call('PEXPIRE', KEYS[n + k], lease)
      c.f = c.f + 1
    end
  end
  for _, figure in ipairs({ c.start, c.stop, c.r, c.i, c.o, c.d, c.f }) do
    reply[#reply + 1] = figure
  end
end
reply[#reply + 1] = redis.call('HVALS', KEYS[2 * n + 1])
return reply
