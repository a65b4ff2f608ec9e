-- SPDX-License-Identifier: MIT
-- Messages to and from the bridge as files: one message a file, its fields separated by tabs, the address first.
-- A file is written under another name and then renamed, so that nobody reads half of one.

local json = require "json"

local spool = { PREFIX = "/athanor/v1", client = "reaper" }
local escapes = { ["\\"] = "\\\\", ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r" }
local meanings = { ["\\"] = "\\", t = "\t", n = "\n", r = "\r" }

function spool.encode (fields)
  local written = {}
  for i, field in ipairs (fields) do written[i] = tostring (field):gsub ("[\\\t\n\r]", escapes) end
  return table.concat (written, "\t")
end

function spool.decode (line)
  local fields = {}
  for field in (line:gsub ("\r?\n$", "") .. "\t"):gmatch ("([^\t]*)\t") do
    fields[#fields + 1] = field:gsub ("\\(.)", function (letter) return meanings[letter] or "\\" .. letter end)
  end
  return fields
end

local function read (path)
  local file = io.open (path, "rb")
  if not file then return nil end
  local text = file:read ("a")
  file:close ()
  return text
end
spool.read = read

-- Where the bridge keeps its connection file: the data folder of Athanor on each system.
local function connection_file ()
  local home = os.getenv ("ATHANOR_HOME")
  if not home then
    local system, user = reaper.GetOS (), os.getenv ("HOME") or ""
    if system:match ("^Win") then
      home = (os.getenv ("LOCALAPPDATA") or "") .. "/athanor"
    elseif system:match ("^OSX") or system:match ("^mac") then
      home = user .. "/Library/Application Support/athanor"
    else
      home = (os.getenv ("XDG_DATA_HOME") or user .. "/.local/share") .. "/athanor"
    end
  end
  return home .. "/bridge/connection.json"
end

-- Finds the import root; false and what to do where there is none.
function spool.open ()
  local path = connection_file ()
  local connection = json.decode (read (path) or "")
  spool.root = os.getenv ("ATHANOR_ROOT") or (connection and connection.root)
  if not spool.root then
    return false, "Athanor's bridge has not run on this machine yet: there is no " .. path .. ".\n\nStart it with: athanor up"
  end
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
  local path = spool.folder .. "/in/" .. stamp ()
  local file, problem = io.open (path .. ".part", "wb")
  if not file then return false, "The message could not be written: " .. problem end
  file:write (spool.encode { spool.PREFIX .. address, ... })
  file:close ()
  return os.rename (path .. ".part", path .. ".msg")
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
    local text = read (folder .. "/" .. name)
    if text and os.remove (folder .. "/" .. name) then
      local fields = spool.decode (text)
      fields[1] = fields[1]:sub (#spool.PREFIX + 1)
      messages[#messages + 1] = fields
    end
  end
  return messages
end

return spool
