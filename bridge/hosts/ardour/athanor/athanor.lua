-- SPDX-License-Identifier: MIT
-- Athanor in Ardour: what each action does, and how the person hears of errors.
--
-- An action loads this file anew and calls one of its functions. Nothing in here may raise: Ardour drops an action that has
-- raised once, without a word.

local here = ARDOUR.user_config_directory (-1) .. "/athanor/"

-- Ardour takes `require` from its scripts; the parts get one that knows this folder, each part is read once.
local parts, scope = {}, setmetatable ({}, { __index = _G })

function scope.require (name)
  parts[name] = parts[name] or assert (loadfile (here .. name .. ".lua", "t", scope)) ()
  return parts[name]
end

local files, memory, link = scope.require "files", scope.require "memory", scope.require "link"
local clips, results = scope.require "clips", scope.require "results"
local athanor = {}
local lost = {} -- ids of jobs whose results could not be placed: they are announced again, the person is told once

-- Show a text in a dialog and keep it in the session's log.
local function show (title, text)
  memory.log (title .. ": " .. text)
  LuaDialog.Message ("Athanor: " .. title, text, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
end

local function guarded (work)
  local done, why = pcall (work)
  if not done then
    show ("error", tostring (why))
  end
end

-- Read what has come, place what is finished, and show what went wrong.
local function receive ()
  local told = link.receive ()
  for _, job in ipairs (results.finished (told.done)) do
    local done, where, new = pcall (results.place, job, link.root)
    if done then
      if new > 0 then
        memory.log (("placed job %s in %s"):format (job.id, where))
      end
      link.placed (job.id, where)
    elseif not lost[job.id] then
      lost[job.id] = true
      show ("a result cannot be placed", tostring (where))
    end
  end
  for _, wrong in ipairs (told.wrong) do
    show (wrong.title, wrong.text)
  end
  return told
end

-- "@stem cello dog" as fields; commas part texts of several words: "@stem low cello, dog barking".
local function words_of (line)
  local out = {}
  for key, rest in line:gmatch ("(@[%w_]+)%s+([^@]*)") do
    out[#out + 1] = key
    for text in rest:gmatch ("[^,]+") do
      out[#out + 1] = text:match ("^%s*(.-)%s*$")
    end
  end
  return out
end

-- What to render with: for an action that names it, what the person completes; else as the session's file athanor.preset says
-- it (a preset's name, a line of options, "together" for one render of all regions), else as a dialog does. nil if that was
-- closed.
local function asked (wish)
  local said = files.read (memory.path ("athanor.preset"))
  if wish.preset and not wish.ask then
    return { preset = wish.preset, options = "" }
  elseif said and not wish.preset then
    local lines = {}
    for line in said:gmatch ("[^\r\n]+") do
      lines[#lines + 1] = line
    end
    return { preset = lines[1] or "", options = lines[2] or "", together = lines[3] == "together" }
  end
  local entries = { { type = "entry", key = "options", title = "Options", default = wish.ask or "" } }
  if not wish.preset then
    table.insert (entries, 1, { type = "entry", key = "preset", title = "Preset", default = "" })
    entries[3] = { type = "checkbox", key = "together", title = "One render of all selected regions", default = false }
  end
  local given = LuaDialog.Dialog ("Athanor", entries):run ()
  if given then
    given.preset = wish.preset or given.preset
  end
  return given
end

-- The request that renders: its verb, and what follows its id. A name such as render/generate is a kind, not a preset.
local function request_of (said)
  local options = words_of (said.options)
  if said.preset:match ("^render/%l+$") then
    return said.preset, options
  end
  return "preset", { said.preset, table.unpack (options) }
end

-- Send the selection out and ask for a render of each region, or for one of all.
--
-- wish.preset: its name; without it the person names one. wish.ask: options that the person may complete, as
-- "@to a choir, a storm". wish.together: how many regions one render takes together. wish.gap: the selected range is a hole in
-- the region under it.
function athanor.render (wish)
  guarded (function ()
    local said = asked (wish)
    if said then
      local verb, values = request_of (said)
      local chosen = wish.gap and clips.around_range (values) or clips.selected (wish.together or 1)
      link.connect ()
      local sent = clips.write (chosen, link.root)
      local groups = {}
      for _, clip in ipairs (sent) do
        groups[#groups + 1] = { clip }
      end
      for _, group in ipairs ((wish.together or said.together) and { sent } or groups) do
        link.await (link.submit (verb, values, group), receive)
      end
    end
  end)
end

-- Place what is finished and show what failed, now.
function athanor.place ()
  guarded (function ()
    link.connect ()
    link.await (nil, receive)
  end)
end

-- Stop the newest render of this session that has not ended.
function athanor.cancel ()
  guarded (function ()
    link.connect ()
    link.await (link.cancel (), receive)
  end)
end

-- Called every second by Ardour's timer: results land by themselves, but never while something is being recorded.
function athanor.watch ()
  if not Session:actively_recording () then
    guarded (function ()
      link.wake ()
      receive ()
    end)
  end
end

return athanor
