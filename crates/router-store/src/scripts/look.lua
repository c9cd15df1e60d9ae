-- How counters stand, and what is kept out.
--
-- KEYS  n counters, n flights, then one for each provider
-- ARGV  n
-- Returns six figures for each counter, then everything kept out of each provider.

local n = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = {}
for k = 1, n do
  local held = redis.call('HMGET', KEYS[k], 's', 'e', 'r', 'i', 'o')
  for index = 1, 5 do reply[#reply + 1] = tonumber(held[index] or 0) end
  reply[#reply + 1] = redis.call('ZCOUNT', KEYS[n + k], '(' .. now, '+inf')
end
for k = 2 * n + 1, #KEYS do
  reply[#reply + 1] = redis.call('HVALS', KEYS[k])
end
return reply
