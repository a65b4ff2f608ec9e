-- SPDX-License-Identifier: MIT
-- From a gesture to a request: the selected items out, the request for them in, then watch.

local clips = require "clips"
local pending = require "pending"
local spool = require "spool"
local watch = require "watch"

local ask = {}
local SECTION = "athanor"
local TOGETHER, NEEDS_NONE = { fuse = true }, { generate = true } -- every other kind works on each item by itself

local function tell (text)
  reaper.ShowMessageBox (text, "Athanor", 0)
end

-- `@name value` pairs, values with spaces in double quotes, as a list of fields.
function ask.options (text)
  local fields, rest = {}, text
  while true do
    local quoted, after = rest:match ('^%s*"([^"]*)"()')
    local word, past = rest:match ("^%s*([^%s]+)()")
    if not word then return fields end
    fields[#fields + 1] = quoted or word
    rest = rest:sub (after or past)
  end
end

-- Tempo and metre at a position of the project, and where it lies in quarter notes, as a request says them.
local function music (position)
  local above, below, tempo = reaper.TimeMap_GetTimeSigAtTime (0, position)
  return { "@tempo", string.format ("%.17g", tempo), "@meter", string.format ("%d/%d", above, below),
           "@start_beats", string.format ("%.17g", reaper.TimeMap2_timeToQN (0, position)) }
end

local function add_clips (id, group)
  spool.send ("/clip/clear", spool.request_id ())
  for i, clip in ipairs (group) do
    spool.send ("/clip/add", id .. "c" .. i, clip.file, "@start_s", string.format ("%.17g", clip.position),
                "@track", clip.track ~= "" and clip.track or clip.name)
  end
end

-- One request: of the clips of a group, or of none at the edit cursor.
local function request (what, group, options, as_takes)
  local id, first = spool.request_id (), group[1] or { guid = "", position = reaper.GetCursorPosition () }
  local words = music (first.position)
  table.move (options, 1, #options, #words + 1, words)
  pending.add { request = id, label = (what:gsub ("[,;]", " ")), as_takes = as_takes, guid = first.guid,
                position = first.position }
  if #group > 0 then
    add_clips (id, group)
  else
    words[#words + 1], words[#words + 2] = "@start_s", string.format ("%.17g", first.position)
  end
  local preset = what:match ("^preset%s+(.+)$")
  local address = preset and "/preset" or "/render/" .. what
  local fields = { address, id }
  if preset then fields[3] = preset end
  table.move ({ "@lane", as_takes and "take_lane" or "new_track" }, 1, 2, #fields + 1, fields)
  table.move (words, 1, #words, #fields + 1, fields)
  spool.send (table.unpack (fields))
end

-- The clips of each request: all of them together, each by itself, or none.
local function grouped (what, selected)
  if NEEDS_NONE[what] then return { {} } end
  if TOGETHER[what] or what:match ("^preset ") then return { selected } end
  local groups = {}
  for i, clip in ipairs (selected) do groups[i] = { clip } end
  return groups
end

-- Renders the selected items. what: a kind, or `preset NAME`. options: a list of fields. as_takes: results become takes of
-- the item, else tracks below it.
function ask.render (what, options, as_takes)
  local known, problem = spool.open ()
  if not known then return tell (problem) end
  local selected = {}
  if not NEEDS_NONE[what] then
    selected, problem = clips.selected ()
    if not selected then return tell (problem) end
  end
  for _, clip in ipairs (selected) do
    known, problem = clips.export (clip, spool.root, spool.request_id ())
    if not known then return tell (problem) end
  end
  for _, group in ipairs (grouped (what, selected)) do request (what, group, options, as_takes) end
  watch.start (false)
end

-- The same, asking the person what and how; the last answer is offered again.
function ask.by_dialog (as_takes)
  local last = reaper.GetExtState (SECTION, "last")
  local given, text = reaper.GetUserInputs ("Athanor: selected items", 2,
    "A kind (edit, fuse...) or preset NAME:,Options (@name value):,extrawidth=220,separator=|", last ~= "" and last or "fuse|")
  if not given then return end
  reaper.SetExtState (SECTION, "last", text, true)
  local what, options = text:match ("^%s*(.-)%s*|(.*)$")
  ask.render (what, ask.options (options), as_takes)
end

return ask
