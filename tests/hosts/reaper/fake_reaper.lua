-- SPDX-License-Identifier: GPL-3.0-or-later
-- A FAKE of REAPER's Lua interface, for tests: no REAPER is behind it. It knows the functions that our scripts call, checks
-- the number and types of their arguments as REAPER's reference gives them, refuses every other name, keeps a small project
-- (tracks, items, takes, sources) and plays 32-bit float WAVs.
--
--   lua5.4 fake_reaper.lua SCRIPT SCENARIO.lua OUT.json
--
-- SCENARIO returns a table: tracks = {{name, items = {{file, position, length, offset, playrate, selected}}}}, and may set
-- rate, tempo, cursor, time_selection, inputs (what the person types into the dialog), press = {text, key} (the key that is
-- pressed once a row of the window holds that text), until_row (the text at which REAPER is closed), ext (values kept from an
-- earlier session), limit_s. OUT gets the project and all that was shown.

local script, scenario_path, out_path = table.unpack (arg)
local scenario = dofile (scenario_path)
local project = { tracks = {}, undo = {}, open_undo = 0, refresh = 0 }
local shown = { boxes = {}, console = {}, rows = {}, windows = 0 }
local ext, deferred, exits, accessors = scenario.ext or {}, {}, {}, 0
local limit_s = scenario.limit_s or 60

local function uptime ()
  local file = io.open ("/proc/uptime")
  local seconds = tonumber (file:read ("n"))
  file:close ()
  return seconds
end

-- Objects, each of a kind that the checks below know.
local number = 0
local function object (kind, fields)
  number = number + 1
  fields.kind, fields.guid = kind, string.format ("{FAKE-%s-%04d}", kind, number)
  return fields
end

local function read_wav (path)
  local file = io.open (path, "rb")
  if not file then return nil end
  local text = file:read ("a")
  file:close ()
  if text:sub (1, 4) ~= "RIFF" then return nil end
  local at, format, channels, rate, data = 13, 0, 0, 0, ""
  while at + 8 <= #text do
    local name, size = string.unpack ("<c4I4", text, at)
    if name == "fmt " then format, channels, rate = string.unpack ("<I2I2I4", text, at + 8) end
    if name == "data" then data = text:sub (at + 8, at + 7 + size) end
    at = at + 8 + size + size % 2
  end
  assert (format == 3, path .. ": the fake reads float WAVs only")
  local samples = {}
  for i = 1, #data, 4 do samples[#samples + 1] = string.unpack ("<f", data, i) end
  return object ("PCM_source", { path = path, rate = rate, channels = channels, samples = samples })
end

local function new_take (source, name, offset, playrate)
  return object ("MediaItem_Take", { source = source, name = name or "", offset = offset or 0, playrate = playrate or 1 })
end

for _, told in ipairs (scenario.tracks) do
  local track = object ("MediaTrack", { name = told.name, items = {}, values = {} })
  for _, part in ipairs (told.items or {}) do
    local source = assert (read_wav (part.file), part.file)
    local item = object ("MediaItem", { track = track, takes = {}, active = 1, selected = part.selected, values = {
      D_POSITION = part.position, D_LENGTH = part.length, B_LOOPSRC = 1, D_FADEINLEN = 0.01, D_FADEOUTLEN = 0.01 } })
    item.takes[1] = new_take (source, part.file:match ("[^/]+$"), part.offset, part.playrate)
    track.items[1 + #track.items] = item
  end
  project.tracks[1 + #project.tracks] = track
end

local function items ()
  local all = {}
  for _, track in ipairs (project.tracks) do
    for _, item in ipairs (track.items) do all[#all + 1] = item end
  end
  return all
end

local function selected ()
  local all = {}
  for _, item in ipairs (items ()) do if item.selected then all[#all + 1] = item end end
  return all
end

local function index_of (track)
  for i, other in ipairs (project.tracks) do if other == track then return i end end
end

-- A sample of a take at a time since its item's start, between samples by a straight line.
local function heard (take, seconds, channel)
  local source = take.source
  local at = (take.offset + seconds * take.playrate) * source.rate
  local below, part = math.floor (at + 1e-9), 0
  part = math.max (0, at - below)
  local c = math.min (channel, source.channels - 1)
  local function sample (i) return source.samples[i * source.channels + c + 1] or 0 end
  return sample (below) * (1 - part) + sample (below + 1) * part
end

local function text_of (field)
  return function (thing, name, value, set)
    if name == "GUID" then return true, thing.guid end
    assert (name == field, "the fake knows no " .. name)
    if set then thing.name = value end
    return true, thing.name
  end
end

local function escaped (path) return "'" .. path:gsub ("'", "'\\''") .. "'" end

-- name = {argument kinds, function}. Kinds: project, a kind of object, s text, i whole number, n number, b boolean, f function,
-- a array; ? after it: may be nil.
local interface = {
  CountSelectedMediaItems = { "project", function () return #selected () end },
  GetSelectedMediaItem = { "project i", function (_, i) return selected ()[i + 1] end },
  CountMediaItems = { "project", function () return #items () end },
  GetMediaItem = { "project i", function (_, i) return items ()[i + 1] end },
  CountTracks = { "project", function () return #project.tracks end },
  GetTrack = { "project i", function (_, i) return project.tracks[i + 1] end },
  GetActiveTake = { "MediaItem", function (item) return item.takes[item.active] end },
  TakeIsMIDI = { "MediaItem_Take", function () return false end },
  GetTakeName = { "MediaItem_Take", function (take) return take.name end },
  GetMediaItemTake_Source = { "MediaItem_Take", function (take) return take.source end },
  GetMediaSourceNumChannels = { "PCM_source", function (source) return source.channels end },
  GetMediaSourceSampleRate = { "PCM_source", function (source) return source.rate + 0.0 end },
  GetMediaItem_Track = { "MediaItem", function (item) return item.track end },
  GetMediaItemInfo_Value = { "MediaItem s", function (item, name)
    return assert (item.values[name], "the fake knows no " .. name) + 0.0
  end },
  SetMediaItemInfo_Value = { "MediaItem s n", function (item, name, value)
    assert (item.values[name], "the fake knows no " .. name)
    item.values[name] = value
    return true
  end },
  GetMediaTrackInfo_Value = { "MediaTrack s", function (track, name)
    assert (name == "IP_TRACKNUMBER", "the fake knows no " .. name)
    return index_of (track) + 0.0
  end },
  SetMediaTrackInfo_Value = { "MediaTrack s n", function (track, name, value)
    assert (name == "I_CUSTOMCOLOR", "the fake knows no " .. name)
    track.values[name] = value
    return true
  end },
  GetSetMediaItemInfo_String = { "MediaItem s s b", text_of ("P_NOTES") },
  GetSetMediaTrackInfo_String = { "MediaTrack s s b", text_of ("P_NAME") },
  GetSetMediaItemTakeInfo_String = { "MediaItem_Take s s b", text_of ("P_NAME") },
  GetSetProjectInfo = { "project s n b", function (_, name)
    assert (name == "PROJECT_SRATE", "the fake knows no " .. name)
    return (scenario.rate or 48000) + 0.0
  end },
  CreateTakeAudioAccessor = { "MediaItem_Take", function (take)
    accessors = accessors + 1
    return object ("AudioAccessor", { take = take })
  end },
  DestroyAudioAccessor = { "AudioAccessor", function () accessors = accessors - 1 end },
  GetAudioAccessorStartTime = { "AudioAccessor", function () return 0.0 end },
  GetAudioAccessorSamples = { "AudioAccessor i i n i a", function (accessor, rate, channels, from, n, buffer)
    for i = 0, n - 1 do
      for c = 0, channels - 1 do buffer.set (i * channels + c + 1, heard (accessor.take, from + i / rate, c)) end
    end
    return 1
  end },
  new_array = { "i", function (size)
    local values = {}
    return { kind = "array", clear = function () for i = 1, size do values[i] = 0.0 end end,
             set = function (i, value) assert (i <= size); values[i] = value end,
             table = function () return table.move (values, 1, size, 1, {}) end }
  end },
  PCM_Source_CreateFromFile = { "s", read_wav },
  InsertTrackAtIndex = { "i b", function (index)
    assert (index <= #project.tracks)
    table.insert (project.tracks, index + 1, object ("MediaTrack", { name = "", items = {}, values = {} }))
  end },
  AddMediaItemToTrack = { "MediaTrack", function (track)
    local item = object ("MediaItem", { track = track, takes = {}, active = 1, values = {
      D_POSITION = 0, D_LENGTH = 0, B_LOOPSRC = 1, D_FADEINLEN = 0.01, D_FADEOUTLEN = 0.01 } })
    track.items[#track.items + 1] = item
    return item
  end },
  AddTakeToMediaItem = { "MediaItem", function (item)
    item.takes[#item.takes + 1] = new_take ()
    return item.takes[#item.takes]
  end },
  SetMediaItemTake_Source = { "MediaItem_Take PCM_source", function (take, source)
    take.source = source
    return true
  end },
  Undo_BeginBlock2 = { "project", function () project.open_undo = project.open_undo + 1 end },
  Undo_EndBlock2 = { "project s i", function (_, text)
    project.open_undo = project.open_undo - 1
    project.undo[#project.undo + 1] = text
  end },
  PreventUIRefresh = { "i", function (count) project.refresh = project.refresh + count end },
  TrackList_AdjustWindows = { "b", function () end },
  UpdateArrange = { "", function () end },
  Main_OnCommand = { "i i", function () end },
  ColorToNative = { "i i i", function (red, green, blue) return red | green << 8 | blue << 16 end },
  TimeMap_GetTimeSigAtTime = { "project n", function () return 3, 4, scenario.tempo or 120.0 end },
  TimeMap2_timeToQN = { "project n", function (_, seconds) return seconds * (scenario.tempo or 120.0) / 60 end },
  GetSet_LoopTimeRange2 = { "project b b n n b", function ()
    return table.unpack (scenario.time_selection or { 0.0, 0.0 })
  end },
  GetCursorPosition = { "", function () return scenario.cursor or 0.0 end },
  GetExtState = { "s s", function (_, key) return ext[key] or "" end },
  SetExtState = { "s s s b", function (_, key, value)
    assert (not value:match ("[\r\n]"), "a value with a line break is not kept")
    ext[key] = value
  end },
  DeleteExtState = { "s s b", function (_, key) ext[key] = nil end },
  GetUserInputs = { "s i s s", function (_, count, captions, values)
    shown.asked = { count = count, captions = captions, values = values }
    return scenario.inputs ~= nil, scenario.inputs or ""
  end },
  ShowMessageBox = { "s s i", function (text)
    shown.boxes[#shown.boxes + 1] = text
    return 1
  end },
  ShowConsoleMsg = { "s", function (text) shown.console[#shown.console + 1] = text end },
  RecursiveCreateDirectory = { "s i", function (path) return os.execute ("mkdir -p " .. escaped (path)) and 1 or 0 end },
  EnumerateFiles = { "s i", function (folder, index)
    if index == -1 then
      local list = io.popen ("ls -U " .. escaped (folder))
      project.listing = {}
      for name in list:lines () do project.listing[#project.listing + 1] = name end
      list:close ()
      return nil
    end
    return project.listing[index + 1]
  end },
  time_precise = { "", function ()
    project.ticks = (project.ticks or 0) + 1
    return uptime () + project.ticks * 1e-6
  end },
  get_action_context = { "", function () return false, script, 0, 0, 0, 0, 0 end },
  defer = { "f", function (work) deferred[#deferred + 1] = work end },
  atexit = { "f", function (work) exits[#exits + 1] = work end },
}

local function fits (value, kind)
  if kind == "project" then return value == 0 end
  if kind == "s" then return type (value) == "string" end
  if kind == "i" then return math.type (value) == "integer" end
  if kind == "n" then return type (value) == "number" end
  if kind == "b" then return type (value) == "boolean" end
  if kind == "f" then return type (value) == "function" end
  if kind == "a" then return type (value) == "table" and value.kind == "array" end
  return type (value) == "table" and value.kind == kind
end

local function checked (name, kinds, work)
  local wanted = {}
  for kind in kinds:gmatch ("%S+") do wanted[#wanted + 1] = kind end
  return function (...)
    assert (select ("#", ...) == #wanted, string.format ("%s takes %d arguments, not %d", name, #wanted, select ("#", ...)))
    for i, kind in ipairs (wanted) do
      local value = select (i, ...)
      assert (fits (value, kind), string.format ("%s: argument %d is %s, not %s", name, i, tostring (value), kind))
    end
    return work (...)
  end
end

local function library (name, functions, values)
  local made = values or {}
  for called, entry in pairs (functions) do made[called] = checked (name .. "." .. called, entry[1], entry[2]) end
  return setmetatable (made, { __index = function (_, key) error (name .. "." .. key .. " is nothing that the fake knows", 2) end })
end

reaper = library ("reaper", interface)
local is_open, row = false, ""
gfx = library ("gfx", {
  init = { "s i i i", function () is_open, shown.windows = true, shown.windows + 1 end },
  quit = { "", function () is_open = false end },
  set = { "n n n n", function () end },
  rect = { "n n n n i", function () assert (is_open) end },
  drawstr = { "s", function (text)
    row = text
    if shown.rows[#shown.rows] ~= text then shown.rows[#shown.rows + 1] = text end
  end },
  update = { "", function () end },
  getchar = { "", function ()
    local press = scenario.press
    if not is_open then return -1 end
    if press and row:find (press.text, 1, true) then
      scenario.press = nil
      return press.key
    end
    return 0
  end },
}, { x = 0, y = 0 })

local function json (value)
  if type (value) == "string" then
    return '"' .. value:gsub ('[%c"\\]', function (c) return string.format ("\\u%04x", c:byte ()) end) .. '"'
  end
  if type (value) ~= "table" then return type (value) == "number" and string.format ("%.17g", value) or tostring (value) end
  local parts = {}
  if #value > 0 or next (value) == nil then
    for i, entry in ipairs (value) do parts[i] = json (entry) end
    return "[" .. table.concat (parts, ",") .. "]"
  end
  for key, entry in pairs (value) do parts[#parts + 1] = json (key) .. ":" .. json (entry) end
  return "{" .. table.concat (parts, ",") .. "}"
end

local function summary ()
  local tracks = {}
  for i, track in ipairs (project.tracks) do
    local listed = {}
    for j, item in ipairs (track.items) do
      local takes = {}
      for k, take in ipairs (item.takes) do takes[k] = { name = take.name, file = take.source.path } end
      listed[j] = { values = item.values, active = item.active, takes = takes }
    end
    tracks[i] = { name = track.name, colour = track.values.I_CUSTOMCOLOR or 0, items = listed }
  end
  return { tracks = tracks, undo = project.undo, open_undo = project.open_undo, refresh = project.refresh, ext = ext,
           accessors = accessors, shown = shown }
end

local begun = uptime ()
dofile (script)
while #deferred > 0 and uptime () - begun < limit_s and not (scenario.until_row and row:find (scenario.until_row, 1, true)) do
  os.execute ("sleep 0.03")
  local work = table.remove (deferred, 1)
  work ()
end
local timed_out = uptime () - begun >= limit_s
for _, work in ipairs (exits) do work () end
local file = assert (io.open (out_path, "w"))
local result = summary ()
result.timed_out = timed_out
file:write (json (result))
file:close ()
