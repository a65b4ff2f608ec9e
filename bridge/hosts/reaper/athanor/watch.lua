-- SPDX-License-Identifier: MIT
-- Watches the spool folder while jobs run: places what is done, shows how far the rest is, tells errors.

local pending = require "pending"
local place = require "place"
local spool = require "spool"
local window = require "window"

local watch = {}
local SECTION, PATIENCE_S = "athanor", 10
local progress, parts, placed, greeted = {}, {}, {}, false
local started, forever

local function tell (text)
  reaper.ShowMessageBox (text, "Athanor", 0)
end

local function log (text)
  reaper.ShowConsoleMsg ("Athanor: " .. text .. "\n")
end

local function ended (request, job)
  progress[request], parts[job] = nil, nil
  pending.remove (request)
end

local answers = {}

function answers.ok (_, about)
  if about == spool.PREFIX .. "/hello" then greeted = true end
end

-- A clip that is refused ends its request, so that nothing is made of the others. What comes of it, and an acknowledgement
-- that is refused because it came twice, is nothing a person has to know.
function answers.error (request, about, _, text)
  if about == spool.PREFIX .. "/hello" then greeted = true end
  local asked = request:match ("^(.+)c%d+$") or request
  local known = pending.find (asked)
  if known then
    pending.remove (asked)
    if asked ~= request then spool.send ("/job/cancel", spool.request_id (), asked) end
  end
  if known or about == spool.PREFIX .. "/hello" then tell (text) end
end

function answers.progress (request, _, phase, step, steps, fraction, eta)
  local entry = pending.find (request)
  if not entry then return end
  local count = tonumber (steps) > 0 and string.format (" %s/%s", step, steps) or ""
  local left = tonumber (eta) >= 0 and string.format (", %d s left", math.ceil (tonumber (eta))) or ""
  progress[request] = { text = entry.label .. ": " .. phase .. count .. left, fraction = tonumber (fraction) }
end

function answers.done (request, job, index, count, ...)
  if placed[job] then return end
  local message = table.pack ("done", request, job, index, count, ...)
  local entry = pending.find (request) or {}
  parts[job] = parts[job] or {}
  parts[job][tonumber (index)] = message
  for i = 1, tonumber (count) do
    if not parts[job][i] then return end
  end
  local where, problem = "REAPER, no result", nil
  if tonumber (count) > 0 then where, problem = place.results (parts[job], entry) end
  placed[job] = true
  ended (request, job)
  if where then
    spool.send ("/job/placed", spool.request_id (), job, "@where", where)
  else
    tell (problem) -- and it is announced again at the next hello, as it was not acknowledged
  end
end

function answers.failed (request, job, _, _, text)
  if placed[job] then return end
  placed[job] = true
  ended (request, job)
  spool.send ("/job/ack", spool.request_id (), job)
  tell (text)
end

function answers.cancelled (request, job)
  if placed[job] then return end
  placed[job] = true
  ended (request, job)
  spool.send ("/job/ack", spool.request_id (), job)
  log ("cancelled")
end

-- Asks the bridge to stop everything that is under way.
function watch.cancel ()
  for _, entry in ipairs (pending.all ()) do spool.send ("/job/cancel", spool.request_id (), entry.request) end
end

local function rows ()
  local shown = {}
  for _, entry in ipairs (pending.all ()) do
    shown[#shown + 1] = progress[entry.request] or { text = entry.label .. ": asked", fraction = 0 }
  end
  return shown
end

local function stop ()
  window.close ()
  reaper.DeleteExtState (SECTION, "watching", false)
end

local function tick ()
  for _, message in ipairs (spool.receive ()) do
    local answer = answers[message[1]:sub (2)]
    if answer then answer (table.unpack (message, 2)) end
  end
  if not greeted and reaper.time_precise () - started > PATIENCE_S then
    tell ("Athanor's bridge does not answer. Start it with: athanor up\n\nWhat you asked for is kept, and done when it runs.")
    return stop ()
  end
  reaper.SetExtState (SECTION, "watching", string.format ("%.3f", reaper.time_precise ()), false)
  local wish = window.show (rows ())
  if wish == "cancel" then watch.cancel () end
  if wish == "closed" or (greeted and not forever and #pending.all () == 0) then return stop () end
  reaper.defer (tick)
end

-- Begins to watch, unless another script of ours does. stay: until REAPER ends, else until nothing is under way.
function watch.start (stay)
  local beat = tonumber (reaper.GetExtState (SECTION, "watching"))
  if beat and math.abs (reaper.time_precise () - beat) < 2 then return end
  started, forever = reaper.time_precise (), stay
  spool.send ("/hello", spool.client, 0, "REAPER", 1)
  reaper.atexit (stop)
  tick ()
end

return watch
