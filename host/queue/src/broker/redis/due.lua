-- Prepended to the scripts that delay messages.
--
-- due_time(text) returns when a message is due, in seconds since 1970, as text. `text` is that time, or a + and the
-- number of seconds until then, by the server's clock.
local function due_time(text)
  if string.sub(text, 1, 1) ~= '+' then
    return text
  end
  local time = redis.call('TIME')
  return string.format('%.6f', time[1] + time[2] / 1000000 + tonumber(text))
end

