-- Carries out what a router noted since its last batch, once, however often it is sent.
--
-- KEYS  the batch, then one for each operation
-- ARGV  length of a lease in ms, then seven for each operation:
--       c start end requests input output cost   adds to a counter, if it still is in that span
--       f call add                               begins, renews or ends a call in flight
--       h field value until                      keeps something out, or lets it back in
--       s field value ttl most                   says where a session is

if not redis.call('SET', KEYS[1], 1, 'NX', 'PX', 3600000) then return 0 end
local lease = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function count(key, at)
  local start, stop = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local held = redis.call('HMGET', key, 's', 'r', 'i', 'o', 'd')
  local since = tonumber(held[1] or 0)
  if since > start then return end
  local same = since == start
  local function sum(index, change)
    return math.max((same and tonumber(held[index] or 0) or 0) + tonumber(change), 0)
  end
  redis.call('HSET', key, 's', start, 'e', stop, 'r', sum(2, ARGV[at + 3]),
    'i', sum(3, ARGV[at + 4]), 'o', sum(4, ARGV[at + 5]), 'd', sum(5, ARGV[at + 6]))
  redis.call('PEXPIREAT', key, math.max(stop, now) + 3600000)
end

-- The longest idle go when there are too many, a few with each that comes.
local function session(key, at)
  local ttl, most = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local used = key .. ':used'
  redis.call('HSET', key, ARGV[at + 1], ARGV[at + 2])
  redis.call('ZADD', used, now, ARGV[at + 1])
  redis.call('PEXPIRE', key, ttl)
  redis.call('PEXPIRE', used, ttl)
  local gone = redis.call('ZRANGEBYSCORE', used, '-inf', now - ttl, 'LIMIT', 0, 8)
  local over = redis.call('ZCARD', used) - most
  if #gone == 0 and over > 0 then
    gone = redis.call('ZRANGE', used, 0, math.min(over, 8) - 1)
  end
  for _, name in ipairs(gone) do
    redis.call('HDEL', key, name)
    redis.call('ZREM', used, name)
  end
end

for k = 2, #KEYS do
  local key, at = KEYS[k], 2 + (k - 2) * 7
  local kind = ARGV[at]
  if kind == 'c' then
    count(key, at)
  elseif kind == 'f' then
    if ARGV[at + 2] == '1' then
      redis.call('ZADD', key, now + lease, ARGV[at + 1])
      redis.call('PEXPIRE', key, lease)
    else
      redis.call('ZREM', key, ARGV[at + 1])
    end
  elseif kind == 's' then
    session(key, at)
  elseif ARGV[at + 2] == '' then
    redis.call('HDEL', key, ARGV[at + 1])
  else
    redis.call('HSET', key, ARGV[at + 1], ARGV[at + 2])
    local left = redis.call('PTTL', key)
    redis.call('PEXPIREAT', key, math.max(now + left, tonumber(ARGV[at + 3])))
  end
end
return 1
