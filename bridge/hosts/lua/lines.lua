-- SPDX-License-Identifier: MIT
-- Messages of the spool folder: one line each, its fields separated by tabs, the address first.

local lines = {}
local escapes = { ["\\"] = "\\\\", ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r" }
local meanings = { ["\\"] = "\\", t = "\t", n = "\n", r = "\r" }

function lines.encode (fields)
  local written = {}
  for i, field in ipairs (fields) do written[i] = tostring (field):gsub ("[\\\t\n\r]", escapes) end
  return table.concat (written, "\t")
end

function lines.decode (line)
  local fields = {}
  for field in (line:gsub ("\r?\n?$", "") .. "\t"):gmatch ("([^\t]*)\t") do
    fields[#fields + 1] = field:gsub ("\\(.)", meanings)
  end
  return fields
end

return lines
