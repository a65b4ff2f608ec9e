-- SPDX-License-Identifier: MIT
-- Results onto the timeline: each on a new named track at its exact sample, all of a job in one undo step.

local files, json, memory = require "files", require "json", require "memory"
local results = {}
local KEPT = "athanor.placed"
local GREY = 0x999999ff

-- Whether a result was placed in this session before; the end of a job is told again until it is acknowledged.
local function placed_before (job, index)
  return (files.read (memory.path (KEPT)) or ""):find (("%s %d\n"):format (job, index), 1, true) ~= nil
end

local function remember (job, index)
  local path = memory.path (KEPT)
  assert (files.write (path, (files.read (path) or "") .. ("%s %d\n"):format (job, index)))
end

-- The position of a result in samples of this session, to the nearest. start: decimal text, in samples of `rate`.
local function position (start, rate)
  local from, to = math.tointeger (tonumber (start)), math.floor (Session:nominal_sample_rate ())
  return (2 * from * to + rate) // (2 * rate)
end

local function record_of (root, name)
  return json.decode (files.read (root .. "/" .. name) or "") or {}
end

-- "#rrggbb" as Ardour counts colours.
local function colour_of (record)
  local digits = (record.colour or ""):match ("^#(%x%x%x%x%x%x)$")
  return digits and tonumber (digits .. "ff", 16) or GREY
end

local function known_regions ()
  local known = {}
  for id, region in ARDOUR.RegionFactory.regions ():iter () do
    known[id:to_s ()] = region
  end
  return known
end

-- Bring a sound file into the session; its region. An error if Ardour does not take it.
local function import (path)
  local known, files = known_regions (), C.StringVector ()
  files:push_back (path)
  Editor:do_import (files, Editing.ImportDistinctFiles, Editing.ImportAsRegion, ARDOUR.SrcQuality.SrcBest,
                    ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
                    Temporal.timepos_t (0), ARDOUR.PluginInfo (), ARDOUR.Track (), false)
  for id, region in pairs (known_regions ()) do
    if not known[id] and region:whole_file () then
      return region
    end
  end
  error (("Ardour did not import %s; is the file still there?"):format (path), 0)
end

-- A new track of that name, below the one that is called `beside`, or last.
local function new_track (name, channels, colour, beside)
  local order = ARDOUR.PresentationInfo.max_order
  for route in Session:get_tracks ():iter () do
    if route:name () == beside then
      order = route:presentation_info_ptr ():order () + 1
    end
  end
  for track in Session:new_audio_track (channels, 2, nil, 1, name, order, ARDOUR.TrackMode.Normal, true):iter () do
    track:presentation_info_ptr ():set_color (colour)
    return track
  end
  error ("Ardour made no track for " .. name, 0)
end

local function lay (track, region, start)
  local playlist = track:playlist ()
  playlist:to_stateful ():clear_changes ()
  playlist:add_region (ARDOUR.RegionFactory.clone_region (region, true, false), Temporal.timepos_t (start), 1, false, 0, 0, false)
  Session:add_stateful_diff_command (playlist:to_statefuldestructible ())
end

-- The jobs of which every result has been told: { id, results }, each result a message
-- `done` as fields. messages: told.done of link.receive.
function results.finished (messages)
  local jobs, order = {}, {}
  for _, message in ipairs (messages) do
    local id, index, count = message[3], tonumber (message[4]), tonumber (message[5])
    local job = jobs[id]
    if not job then
      job = { id = id, results = {}, missing = count }
      jobs[id] = job
      order[#order + 1] = job
    end
    if index > 0 and not job.results[index] then
      job.results[index] = message
      job.missing = job.missing - 1
    end
  end
  local whole = {}
  for _, job in ipairs (order) do
    if job.missing == 0 then
      whole[#whole + 1] = job
    end
  end
  return whole
end

-- Place a job's results; where they are, in words, and how many are new. Raises a text where a file is not there or is no sound.
function results.place (job, root)
  local ready, where = {}, {}
  for index, message in ipairs (job.results) do
    if not placed_before (job.id, index) then
      ready[#ready + 1] = { index = index, region = import (root .. "/" .. message[7]), record = record_of (root, message[8]),
                            role = message[6], start = position (message[11], tonumber (message[12])) }
    end
  end
  Session:begin_reversible_command ("Athanor: place results")
  local newest = {} -- by source track: the name of the last track that was made below it
  for _, one in ipairs (ready) do
    local source = one.record.track or ""
    local track = new_track (one.record.name or one.role, one.region:to_audioregion ():n_channels (), colour_of (one.record),
                             newest[source] or source)
    lay (track, one.region, one.start)
    newest[source] = track:name ()
    where[#where + 1] = ("%s at %d"):format (track:name (), one.start)
    remember (job.id, one.index)
  end
  if not Session:abort_empty_reversible_command () then
    Session:commit_reversible_command (nil)
  end
  return ("%s: %s"):format (Session:name (), #where > 0 and table.concat (where, ", ") or "there already"), #where
end

return results
