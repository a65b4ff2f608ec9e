-- SPDX-License-Identifier: MIT
-- From a gesture to a request: the selected items out, the request for them in, then watch.

local clips = require "clips"
local pending = require "pending"
local spool = require "spool"
local watch = require "watch"

local ask = {}
local SECTION = "athanor"
local NEEDS_NONE = { generate = true }
local EACH = { separate = true, edit = true, restore = true, vary = true, learn = true } -- others take all items together

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
  local words, chosen = music (first.position), options (first)
  table.move (chosen, 1, #chosen, #words + 1, words)
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

-- The kind of what is asked for; a preset that comes with Athanor begins with its kind.
local function kind_of (what)
  return what:match ("^preset%s+(%a+)") or what
end

-- The clips of each request: all of them together, each by itself, or none.
local function grouped (what, selected)
  local kind = kind_of (what)
  if NEEDS_NONE[kind] then return { {} } end
  if not EACH[kind] then return { selected } end
  local groups = {}
  for i, clip in ipairs (selected) do groups[i] = { clip } end
  return groups
end

-- Renders the selected items. what: a kind, or `preset NAME`. options: a list of fields, or a function that gives it for a
-- clip, or nil and the reason why that cannot be done. as_takes: results become takes of the item, else tracks below it.
function ask.render (what, options, as_takes)
  local known, problem = spool.open ()
  if not known then return tell (problem) end
  local selected = {}
  if not NEEDS_NONE[kind_of (what)] then
    selected, problem = clips.selected ()
    if not selected then return tell (problem) end
  end
  local chosen = type (options) == "function" and options or function () return options end
  for _, clip in ipairs (selected) do
    known, problem = chosen (clip)
    if known then known, problem = clips.export (clip, spool.root, spool.request_id ()) end
    if not known then return tell (problem) end
  end
  for _, group in ipairs (grouped (what, selected)) do request (what, group, chosen, as_takes) end
  watch.start (false)
end

-- The time selection within a clip, as the gap that a restore fills: options, or nil and what to do.
function ask.gap (clip)
  local from, to = reaper.GetSet_LoopTimeRange2 (0, false, false, 0, 0, false)
  from, to = from - clip.position, to - clip.position
  if to <= from or from < 0 or to > clip.samples / clip.rate then
    return nil, string.format ("Select the time of the dropout, within the item %q.", clip.name)
  end
  return { "@gap", string.format ("%.9f:%.9f", from, to) }
end

-- Renders with an option whose words the person lists, commas between them; `example` is offered. None: the preset's own.
function ask.with_list (what, option, example, as_takes)
  local given, text = reaper.GetUserInputs ("Athanor: selected items", 1, option .. "; commas between:,extrawidth=320,separator=|",
                                            example)
  if not given then return end
  local options = {}
  for word in text:gmatch ("[^,]+") do
    word = word:match ("^%s*(.-)%s*$")
    if word ~= "" then options[#options + 1] = word end
  end
  ask.render (what, #options > 0 and { "@" .. option, table.unpack (options) } or {}, as_takes)
end

-- The same as ask.render, asking the person what and how; the last answer is offered again.
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
