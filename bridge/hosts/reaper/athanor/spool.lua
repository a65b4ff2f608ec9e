-- SPDX-License-Identifier: MIT
-- Messages to and from the bridge as files: one message a file.

local connection = require "connection"
local files = require "files"
local lines = require "lines"

local spool = { PREFIX = "/athanor/v1", client = "reaper" }

-- Finds the import root; false and what to do where there is none.
function spool.open ()
  local said, problem = connection.read ()
  spool.root = os.getenv ("ATHANOR_ROOT") or (said and said.root)
  if not spool.root then return false, problem end
  spool.folder = spool.root .. "/spool/" .. spool.client
  for _, name in ipairs { "/in", "/out" } do reaper.RecursiveCreateDirectory (spool.folder .. name, 0) end
  return true
end

-- Names that sort in the order in which they were made, and request ids that no other run has made.
local count = 0
local function stamp ()
  count = count + 1
  return string.format ("%010d-%012d-%04d", os.time (), math.floor (reaper.time_precise () * 1e6) % 10 ^ 12, count % 10000)
end

function spool.request_id ()
  return "r" .. stamp ()
end

-- Sends a message: the address under the prefix, then its values.
function spool.send (address, ...)
  return files.write (spool.folder .. "/in/" .. stamp () .. ".msg", lines.encode { spool.PREFIX .. address, ... })
end

-- The messages that have come, oldest first, each {address, values...} without the prefix; their files are taken away.
function spool.receive ()
  local folder, names = spool.folder .. "/out", {}
  reaper.EnumerateFiles (folder, -1) -- so that it looks again
  for i = 0, math.huge do
    local name = reaper.EnumerateFiles (folder, i)
    if not name then break end
    if name:match ("%.msg$") then names[#names + 1] = name end
  end
  table.sort (names)
  local messages = {}
  for _, name in ipairs (names) do
    local text = files.read (folder .. "/" .. name)
    if text and os.remove (folder .. "/" .. name) then
      local fields = lines.decode (text)
      fields[1] = fields[1]:sub (#spool.PREFIX + 1)
      messages[#messages + 1] = fields
    end
  end
  return messages
end

return spool
