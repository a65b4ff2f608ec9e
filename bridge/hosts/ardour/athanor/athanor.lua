-- SPDX-License-Identifier: MIT
-- Athanor in Ardour: what each action does, and how the person hears of errors.
--
-- An action loads this file anew and calls one of its functions. Nothing in here may raise: Ardour drops an action that has
-- raised once, without a word.

local here = ARDOUR.user_config_directory (-1) .. "/athanor/"

local function part (name)
  return assert (loadfile (here .. name .. ".lua")) ()
end

local json, memory = part ("json"), part ("memory")
local link = part ("link") (json, memory, here)
local clips = part ("clips")
local results = part ("results") (json, memory)
local athanor = {}

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
    local done, where = pcall (results.place, job, link.root)
    if done then
      memory.log (("placed job %s in %s"):format (job.id, where))
      link.placed (job.id, where)
    else
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

-- What to render with, as the session's file athanor.preset says it (a preset's name, then a line of options), else as the
-- person says it in a dialog; nil if they close it.
local function asked (wish)
  local said = memory.read (memory.path ("athanor.preset"))
  if said and not wish.verb then
    local name, line = said:match ("([^\r\n]*)\r?\n?([^\r\n]*)")
    return { preset = name, options = line }
  elseif wish.verb and not wish.ask then
    return { options = "" }
  end
  local entries = {}
  if not wish.verb then
    entries[1] = { type = "entry", key = "preset", title = "Preset", default = wish.preset or "" }
  end
  entries[#entries + 1] = { type = "entry", key = "options", title = "Options", default = wish.ask or "" }
  return LuaDialog.Dialog ("Athanor", entries):run ()
end

-- Send the selection out and ask for a render.
--
-- wish.verb, wish.values: the request and what follows its id; without them the person names a preset. wish.ask: options that
-- the person may complete, as "@to a choir, a storm". wish.least: regions that have to be selected. wish.gap: the selected
-- range is a hole in the region under it.
function athanor.render (wish)
  guarded (function ()
    local said = asked (wish)
    if said then
      local values = wish.verb and { table.unpack (wish.values or {}) } or { said.preset }
      local options = words_of (said.options)
      table.move (options, 1, #options, #values + 1, values)
      local chosen = wish.gap and clips.around_range (values) or clips.selected (wish.least or 1)
      link.connect ()
      link.await (link.submit (wish.verb or "preset", values, clips.write (chosen, link.root)), receive)
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
