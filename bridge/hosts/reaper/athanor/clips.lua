-- SPDX-License-Identifier: MIT
-- Selected items out of REAPER: each as it is heard, trimmed, offset and stretched, before volume, fades and effects.

local wav = require "wav"

local clips = { MOST_CHANNELS = 2 }

-- A reader of an audio accessor's samples for wav.write.
local function reader (accessor, clip)
  local from = reaper.GetAudioAccessorStartTime (accessor)
  return function (first, count)
    local buffer = reaper.new_array (count * clip.channels)
    buffer.clear ()
    if reaper.GetAudioAccessorSamples (accessor, clip.rate, clip.channels, from + first / clip.rate, count, buffer) < 0 then
      error ("REAPER could not read its sound. Is its file online?", 0)
    end
    return buffer.table ()
  end
end

local function text_of (getter, object, name)
  local known, text = getter (object, name, "", false)
  return known and text or ""
end

-- What is known of an item: guid, position (seconds), track (its name), take, rate (Hz), channels and samples; or a reason
-- why it cannot be sent.
function clips.describe (item)
  local take = reaper.GetActiveTake (item)
  if not take or reaper.TakeIsMIDI (take) then return nil, "A selected item holds no audio. Select audio items only." end
  local source = reaper.GetMediaItemTake_Source (take)
  local channels = math.max (1, math.floor (reaper.GetMediaSourceNumChannels (source)))
  if channels > clips.MOST_CHANNELS then
    return nil, string.format ("The item %q has %d channels; clips are mono or stereo.", reaper.GetTakeName (take), channels)
  end
  local rate = math.floor (reaper.GetMediaSourceSampleRate (source))
  if rate <= 0 then rate = math.floor (reaper.GetSetProjectInfo (0, "PROJECT_SRATE", 0, false)) end
  -- To the next whole sample: a take that is shorter than its item begins anew at the end.
  local samples = math.ceil (reaper.GetMediaItemInfo_Value (item, "D_LENGTH") * rate - 1e-6)
  if samples < 1 then return nil, "A selected item has no length." end
  return {
    guid = text_of (reaper.GetSetMediaItemInfo_String, item, "GUID"),
    position = reaper.GetMediaItemInfo_Value (item, "D_POSITION"),
    track = text_of (reaper.GetSetMediaTrackInfo_String, reaper.GetMediaItem_Track (item), "P_NAME"),
    take = take, name = reaper.GetTakeName (take), rate = rate, channels = channels, samples = samples,
  }
end

-- Writes an item's sound into `clips` under the import root and sets `file`; or gives nil and the reason.
function clips.export (clip, root, id)
  reaper.RecursiveCreateDirectory (root .. "/clips", 0)
  local words = clip.name:gsub ("%.%w+$", ""):gsub ("[^%w%-]+", "_"):sub (1, 40)
  clip.file = "clips/" .. words .. "-" .. id .. ".wav"
  local accessor = reaper.CreateTakeAudioAccessor (clip.take)
  local done, why = wav.write (root .. "/" .. clip.file, clip.rate, clip.channels, clip.samples, reader (accessor, clip))
  reaper.DestroyAudioAccessor (accessor)
  return done, why and string.format ("The item %q cannot be sent: %s", clip.name, why)
end

-- The selected items, as REAPER counts them: by track from the top, then by time. nil and the reason where one cannot be sent.
function clips.selected ()
  local found = {}
  for i = 0, reaper.CountSelectedMediaItems (0) - 1 do
    local clip, problem = clips.describe (reaper.GetSelectedMediaItem (0, i))
    if not clip then return nil, problem end
    found[#found + 1] = clip
  end
  if #found == 0 then return nil, "No item is selected. Select the items to work on." end
  return found
end

return clips
