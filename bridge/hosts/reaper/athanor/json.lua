-- SPDX-License-Identifier: MIT
-- JSON to Lua values: placement records and the bridge's connection file. Arrays begin at 1, null is nil.

local json = {}
local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local value

local function skip (text, at)
  return text:find ("%S", at) or #text + 1
end

local function unicode (text, at)
  local code = tonumber (text:sub (at, at + 3), 16)
  if code >= 0xD800 and code < 0xDC00 then
    local low = tonumber (text:sub (at + 6, at + 9), 16)
    return utf8.char (0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), at + 10
  end
  return utf8.char (code), at + 4
end

local function quoted (text, at)
  local parts, start = {}, at + 1
  while true do
    local stop = assert (text:find ('["\\]', start), "a JSON text without an end")
    parts[#parts + 1] = text:sub (start, stop - 1)
    if text:sub (stop, stop) == '"' then return table.concat (parts), stop + 1 end
    local letter = text:sub (stop + 1, stop + 1)
    if letter == "u" then
      parts[#parts + 1], start = unicode (text, stop + 2)
    else
      parts[#parts + 1], start = escapes[letter] or letter, stop + 2
    end
  end
end

-- What stands between two brackets; `entry` reads one entry into the table.
local function listed (text, at, close, entry)
  local made = {}
  at = skip (text, at + 1)
  while text:sub (at, at) ~= close do
    at = skip (text, entry (made, at))
    if text:sub (at, at) == "," then at = skip (text, at + 1) end
    assert (at <= #text, "a JSON list without an end")
  end
  return made, at + 1
end

local function object (text, at)
  return listed (text, at, "}", function (made, from)
    local name, after = quoted (text, from)
    local colon = skip (text, after)
    made[name], after = value (text, skip (text, colon + 1))
    return after
  end)
end

local function array (text, at)
  local count = 0
  return listed (text, at, "]", function (made, from)
    local after
    count = count + 1
    made[count], after = value (text, from)
    return after
  end)
end

function value (text, at)
  local first = text:sub (at, at)
  if first == "{" then return object (text, at) end
  if first == "[" then return array (text, at) end
  if first == '"' then return quoted (text, at) end
  local word = text:match ("^[%w%.%+%-]+", at)
  assert (word, "no JSON")
  if word == "true" or word == "false" then return word == "true", at + #word end
  return tonumber (word), at + #word
end

-- The value that a JSON text means; nil where the text is none.
function json.decode (text)
  local known, read = pcall (function () return (value (text, skip (text, 1))) end)
  return known and read or nil
end

return json
