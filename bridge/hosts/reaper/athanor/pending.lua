-- SPDX-License-Identifier: MIT
-- What was asked for and has not come back, kept in REAPER's own memory: it outlives a script, and REAPER too.

local pending = {}
local SECTION = "athanor"
local FIELDS = { "request", "label", "as_takes", "guid", "position" }

function pending.all ()
  local entries = {}
  for line in reaper.GetExtState (SECTION, "pending"):gmatch ("[^;]+") do
    local entry, i = {}, 1
    for field in (line .. ","):gmatch ("([^,]*),") do
      entry[FIELDS[i]], i = field, i + 1
    end
    entry.as_takes, entry.position = entry.as_takes == "1", tonumber (entry.position)
    entries[#entries + 1] = entry
  end
  return entries
end

local function keep (entries)
  local lines = {}
  for i, entry in ipairs (entries) do
    lines[i] = table.concat ({ entry.request, entry.label, entry.as_takes and "1" or "0", entry.guid,
                               string.format ("%.17g", entry.position) }, ",")
  end
  reaper.SetExtState (SECTION, "pending", table.concat (lines, ";"), true)
end

function pending.add (entry)
  local entries = pending.all ()
  entries[#entries + 1] = entry
  keep (entries)
end

function pending.find (request)
  for _, entry in ipairs (pending.all ()) do
    if entry.request == request then return entry end
  end
end

function pending.remove (request)
  local left = {}
  for _, entry in ipairs (pending.all ()) do
    if entry.request ~= request then left[#left + 1] = entry end
  end
  keep (left)
end

return pending
