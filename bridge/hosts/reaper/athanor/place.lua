-- SPDX-License-Identifier: MIT
-- Results into REAPER: takes of the item that they were made from, or items on new tracks below it. One undo step for a job.

local files = require "files"
local json = require "json"
local spool = require "spool"

local place = {}

local function item_of (guid)
  for i = 0, reaper.CountMediaItems (0) - 1 do
    local item = reaper.GetMediaItem (0, i)
    local known, own = reaper.GetSetMediaItemInfo_String (item, "GUID", "", false)
    if known and own == guid then return item end
  end
end

local function colour_of (record)
  local red, green, blue = (record.colour or ""):match ("^#(%x%x)(%x%x)(%x%x)$")
  if not red then return nil end
  return reaper.ColorToNative (tonumber (red, 16), tonumber (green, 16), tonumber (blue, 16)) | 0x1000000
end

-- Seconds. An item need not begin on a sample; a result that belongs to the sample it begins in goes exactly where it lies.
local function position_of (result, pending)
  local asked = tonumber (result.start_exact) / result.start_rate
  if pending.position and math.abs (pending.position - asked) < 1 / result.start_rate then return pending.position end
  return asked
end

local function add_take (item, result)
  local take = reaper.AddTakeToMediaItem (item)
  reaper.SetMediaItemTake_Source (take, result.source)
  reaper.GetSetMediaItemTakeInfo_String (take, "P_NAME", result.name, true)
  return take
end

local function add_track (index, result, pending)
  reaper.InsertTrackAtIndex (index, false)
  local track = reaper.GetTrack (0, index)
  local item = reaper.AddMediaItemToTrack (track)
  add_take (item, result)
  reaper.SetMediaItemInfo_Value (item, "D_POSITION", position_of (result, pending))
  reaper.SetMediaItemInfo_Value (item, "D_LENGTH", result.length_samples / result.sample_rate)
  for _, name in ipairs { "D_FADEINLEN", "D_FADEOUTLEN", "B_LOOPSRC" } do reaper.SetMediaItemInfo_Value (item, name, 0) end
  reaper.GetSetMediaTrackInfo_String (track, "P_NAME", result.name, true)
  if result.colour then reaper.SetMediaTrackInfo_Value (track, "I_CUSTOMCOLOR", result.colour) end
end

-- What a `done` message says, with what its record adds.
local function read_result (message)
  local result = {
    role = message[6], file = message[7], start_exact = message[11], start_rate = tonumber (message[12]),
    length_samples = tonumber (message[14]), sample_rate = tonumber (message[15]),
  }
  local record = json.decode (files.read (spool.root .. "/" .. message[8]) or "") or {}
  result.name = record.name or result.file:match ("([^/]+)%.%w+$") or result.role
  result.colour = colour_of (record)
  result.source = reaper.PCM_Source_CreateFromFile (spool.root .. "/" .. result.file)
  return result
end

local function below (item)
  if not item then return reaper.CountTracks (0) end
  return math.floor (reaper.GetMediaTrackInfo_Value (reaper.GetMediaItem_Track (item), "IP_TRACKNUMBER"))
end

-- Places the results of a job, given its `done` messages in their order. pending: what is known of the request, with `guid`
-- and `position` of the item that it came from and `as_takes`; all may be missing. Returns where they went, in words; or
-- false and why not.
function place.results (messages, pending)
  local results = {}
  for i, message in ipairs (messages) do
    results[i] = read_result (message)
    if not results[i].source then return false, "REAPER could not open " .. results[i].file .. "." end
  end
  local item = pending.guid and item_of (pending.guid)
  local as_takes = pending.as_takes and item ~= nil
  reaper.Undo_BeginBlock2 (0)
  reaper.PreventUIRefresh (1)
  local index = below (item)
  for i, result in ipairs (results) do
    if as_takes then add_take (item, result) else add_track (index + i - 1, result, pending) end
  end
  reaper.PreventUIRefresh (-1)
  reaper.TrackList_AdjustWindows (false)
  reaper.UpdateArrange ()
  reaper.Main_OnCommand (40047, 0) -- Peaks: Build any missing peaks
  reaper.Undo_EndBlock2 (0, "Athanor: " .. results[1].name, -1)
  return string.format ("REAPER, %d %s", #results, as_takes and "takes" or "tracks")
end

return place
