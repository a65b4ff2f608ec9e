-- SPDX-License-Identifier: MIT
-- JSON to Lua values: placement records and the bridge's connection file. Arrays begin at 1, null is nil.

local json = {}
local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function string_at (text, at)
  local out = {}
  while true do
    local from, to = text:find ('^[^"\\]+', at)
    if from then
      out[#out + 1], at = text:sub (from, to), to + 1
    end
    local next = text:sub (at, at)
    if next == '"' then
      return table.concat (out), at + 1
    elseif next ~= "\\" then
      error ("a text without an end", 0)
    end
    local code = text:match ("^u(%x%x%x%x)", at + 1)
    if code then
      local point, pair = tonumber (code, 16), text:match ("^\\u(%x%x%x%x)", at + 6)
      if point >= 0xD800 and point < 0xDC00 and pair then
        point, at = 0x10000 + (point - 0xD800) * 0x400 + tonumber (pair, 16) - 0xDC00, at + 6
      end
      out[#out + 1], at = utf8.char (point), at + 6
    else
      out[#out + 1], at = escapes[text:sub (at + 1, at + 1)] or error ("an unknown escape", 0), at + 2
    end
  end
end

local value_at

-- The entries between an opening bracket and its end: `keyed` for objects.
local function entries_at (text, at, last, keyed)
  local out, key = {}, 0
  local mark, behind = text:match ("^%s*(.)()", at)
  if mark == last then return out, behind end
  repeat
    if keyed then
      key, at = string_at (text, text:match ('^%s*"()', at) or error ("a name is missing", 0))
      at = text:match ("^%s*:()", at) or error ("a colon is missing", 0)
    else
      key = key + 1
    end
    out[key], at = value_at (text, at)
    mark, at = text:match ("^%s*(.)()", at)
  until mark ~= ","
  return out, mark == last and at or error ("a comma is missing", 0)
end

function value_at (text, at)
  local first, start = text:match ("^%s*(.)()", at)
  if first == "{" then return entries_at (text, start, "}", true) end
  if first == "[" then return entries_at (text, start, "]", false) end
  if first == '"' then return string_at (text, start) end
  local word, behind = text:match ("^%s*([%w%.%+%-]+)()", at)
  if word == "true" or word == "false" then return word == "true", behind end
  if word == "null" then return nil, behind end
  return tonumber (word) or error ("a value is missing", 0), behind
end

-- The value that a JSON text means; nil where the text is none.
function json.decode (text)
  local known, read = pcall (value_at, text, 1)
  return known and read or nil
end

return json
