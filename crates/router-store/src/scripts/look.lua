-- How counters stand, what is kept out, and where sessions went.
--
-- KEYS  n counters, n flights, one for each provider, then the sessions
-- ARGV  n, the moment from which sessions are wanted (empty for none), how many at most
-- Returns seven figures for each counter, everything kept out of each provider, sessions that
-- were used since, and the moment to ask from next time.

local n, since, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = {}
for k = 1, n do
  local held = redis.call('HMGET', KEYS[k], 's', 'e', 'r', 'i', 'o', 'd')
  for index = 1, 6 do reply[#reply + 1] = tonumber(held[index] or 0) end
  reply[#reply + 1] = redis.call('ZCOUNT', KEYS[n + k], '(' .. now, '+inf')
end
for k = 2 * n + 1, #KEYS - 1 do
  reply[#reply + 1] = redis.call('HVALS', KEYS[k])
end
if not since then return reply end
local key = KEYS[#KEYS]
local used = redis.call('ZRANGEBYSCORE', key .. ':used', since, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
local names = {}
for index = 1, #used, 2 do names[#names + 1] = used[index] end
reply[#reply + 1] = #names > 0 and redis.call('HMGET', key, unpack(names)) or {}
reply[#reply + 1] = #names == most and tonumber(used[#used]) or now
return reply
