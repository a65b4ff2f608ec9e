-- SPDX-License-Identifier: MIT
-- Where the bridge is, as it has written down itself.

local files = require "files"
local json = require "json"

local connection = {}

-- Athanor's data folder: as the environment says, or where the system has such folders.
local function home ()
  local named, windows, user = os.getenv ("ATHANOR_HOME"), os.getenv ("LOCALAPPDATA"), os.getenv ("HOME") or ""
  if named or windows then return named or windows .. "/athanor" end
  if user:match ("^/Users/") then return user .. "/Library/Application Support/athanor" end
  return (os.getenv ("XDG_DATA_HOME") or user .. "/.local/share") .. "/athanor"
end

-- The bridge's root (folder), osc_port and more; nil and what to do where it has never run. folder: Athanor's data folder,
-- where it is known.
function connection.read (folder)
  local path = (folder or home ()) .. "/bridge/connection.json"
  local said = json.decode (files.read (path) or "")
  if not said then return nil, ("Athanor has never run here: there is no %s.\n\nStart it with: athanor up"):format (path) end
  return said
end

return connection
