-- SPDX-License-Identifier: MIT
-- What has to outlast a session's closing: small files in the session's folder, read anew each time, because the actions
-- and the timer do not share their variables.

local files = require "files"
local memory = {}

function memory.path (name)
  return Session:path () .. "/" .. name
end

-- client: this session's name, "" if it never asked for anything. next: number of the message to read next. count: requests
-- made. open: ids of renders that have not ended, oldest first.
function memory.state ()
  local kept = { client = "", next = 1, count = 0, open = {} }
  for key, value in (files.read (memory.path ("athanor.state")) or ""):gmatch ("(%w+) (%S+)\n") do
    if key == "open" then
      table.insert (kept.open, value)
    else
      kept[key] = tonumber (value) or value
    end
  end
  return kept
end

-- Change the state by a function, which may return something, and keep it.
function memory.change (change)
  local kept = memory.state ()
  local result = change (kept)
  local lines = { ("client %s\nnext %d\ncount %d\n"):format (kept.client, kept.next, kept.count) }
  for _, id in ipairs (kept.open) do
    lines[#lines + 1] = ("open %s\n"):format (id)
  end
  assert (files.write (memory.path ("athanor.state"), table.concat (lines)))
  return result
end

-- A render that has ended is no longer open.
function memory.ended (request)
  memory.change (function (kept)
    for index = #kept.open, 1, -1 do
      if kept.open[index] == request then
        table.remove (kept.open, index)
      end
    end
  end)
end

-- Add a line to the session's athanor.log.
function memory.log (text)
  local file = io.open (memory.path ("athanor.log"), "a")
  if file then
    file:write (os.date ("%Y-%m-%d %H:%M:%S "), text, "\n")
    file:close ()
  end
end

return memory
