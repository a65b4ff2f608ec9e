-- SPDX-License-Identifier: MIT
-- From the selection to sound files: what is heard of each region on its track, gain, envelope and fades included.
--
-- The samples are read inside Ardour and written as 32-bit float WAV at the session's rate, so neither split stereo files
-- nor other sample rates nor stretched regions make a difference, and no path leaves the session.

local wav = require "wav"

local function rate ()
  return math.floor (Session:nominal_sample_rate ())
end

local function track_of (region)
  for route in Session:get_tracks ():iter () do
    if not route:to_track ():playlist ():region_by_id (region:to_stateful ():id ()):isnil () then
      return route
    end
  end
end

-- What to send: name, track (a Route), start and length in samples of the session, channels.
local function clip_of (region, route)
  local audio = region:to_audioregion ()
  if audio:isnil () then
    error (("%q holds no audio; select audio regions."):format (region:name ()), 0)
  elseif region:muted () then
    error (("The region %q is muted, so there is nothing to hear; unmute it first."):format (region:name ()), 0)
  end
  return { name = region:name (), track = route, start = region:position ():samples (),
           rate = rate (), length = region:length ():samples (), channels = audio:n_channels () }
end

-- The samples of each channel in turn. channels: tables of `count` samples.
local function interleaved (channels, count)
  local flat, width = {}, #channels
  for c, samples in ipairs (channels) do
    for i = 1, count do
      flat[(i - 1) * width + c] = samples[i]
    end
  end
  return flat
end

-- A reader of a clip for wav.write.
local function reader (clip)
  local playlist = clip.track:to_track ():playlist ():to_audioplaylist ()
  local sound, mix, gain = ARDOUR.DSP.DspShm (wav.BLOCK), ARDOUR.DSP.DspShm (wav.BLOCK), ARDOUR.DSP.DspShm (wav.BLOCK)
  return function (first, count)
    local channels = {}
    for c = 1, clip.channels do
      playlist:read (sound:to_float (0), mix:to_float (0), gain:to_float (0), Temporal.timepos_t (clip.start + first),
                     Temporal.timecnt_t (count), c - 1)
      channels[c] = sound:to_float (0):get_table (count)
    end
    return interleaved (channels, count)
  end
end

local clips = {}

-- The selected audio regions, in the order in which they were selected; an error if there are fewer than `least`.
function clips.selected (least)
  local chosen = {}
  for region in Editor:get_selection ().regions:regionlist ():iter () do
    chosen[#chosen + 1] = clip_of (region, track_of (region))
  end
  if #chosen < least then
    error (("%d region%s selected; select %d and try again."):format (#chosen, #chosen == 1 and " is" or "s are", least), 0)
  end
  return chosen
end

-- The region under the selected range of the selected track. The range, in seconds of that region, is added to `options`.
function clips.around_range (options)
  local selection = Editor:get_selection ()
  local from, to = selection.time:start_sample (), selection.time:end_sample ()
  for route in selection.tracks:routelist ():iter () do
    if to > from and not route:to_track ():isnil () then
      local region = route:to_track ():playlist ():top_region_at (Temporal.timepos_t (from))
      if not region:isnil () then
        local clip = clip_of (region, route)
        options[#options + 1] = "@gap"
        options[#options + 1] = ("%.9f:%.9f"):format ((from - clip.start) / rate (),
                                                      (math.min (to, clip.start + clip.length) - clip.start) / rate ())
        return { clip }
      end
    end
  end
  error ("No range of a region is selected. Select the hole with the range tool on its track and try again.", 0)
end

-- Write every clip into the folder `clips` under `root`; the clips again, each with `file`, its name under `root`.
function clips.write (chosen, root)
  for number, clip in ipairs (chosen) do
    local plain = clip.name:gsub ("[^%w%-]+", "_"):sub (1, 40)
    clip.file = ("clips/%s-%d-%x-%d.wav"):format (plain, clip.start, os.time (), number)
    local done, why = wav.write (root .. "/" .. clip.file, clip.rate, clip.channels, clip.length, reader (clip))
    if not done then
      error (("The region %q cannot be sent: %s"):format (clip.name, why), 0)
    end
  end
  return chosen
end

return clips
