-- SPDX-License-Identifier: MIT
-- Selected items out of REAPER: each as it is heard, trimmed, offset and stretched, before volume, fades and effects.

local clips = { MOST_CHANNELS = 2 }
local BLOCK = 65536

-- A 32-bit float WAV: head first, then blocks of interleaved samples.
local function head (rate, channels, samples)
  local bytes = samples * channels * 4
  return "RIFF" .. string.pack ("<I4", 50 + bytes) .. "WAVEfmt " ..
    string.pack ("<I4I2I2I4I4I2I2I2", 18, 3, channels, rate, rate * channels * 4, channels * 4, 32, 0) ..
    "fact" .. string.pack ("<I4I4", 4, samples) .. "data" .. string.pack ("<I4", bytes)
end

local function packed (values)
  local parts = {}
  for i = 1, #values, 128 do
    local last = math.min (i + 127, #values)
    parts[#parts + 1] = string.pack ("<" .. string.rep ("f", last - i + 1), table.unpack (values, i, last))
  end
  return table.concat (parts)
end

local function write_sound (file, take, rate, channels, samples)
  local accessor = reaper.CreateTakeAudioAccessor (take)
  local from = reaper.GetAudioAccessorStartTime (accessor)
  local heard = true
  file:write (head (rate, channels, samples))
  for first = 0, samples - 1, BLOCK do
    local n = math.min (BLOCK, samples - first)
    local buffer = reaper.new_array (n * channels)
    buffer.clear ()
    heard = heard and reaper.GetAudioAccessorSamples (accessor, rate, channels, from + first / rate, n, buffer) >= 0
    file:write (packed (buffer.table ()))
  end
  reaper.DestroyAudioAccessor (accessor)
  return heard
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

-- Writes an item's sound into `clips` under the import root and sets `file`; false and the reason where it cannot.
function clips.export (clip, root, id)
  reaper.RecursiveCreateDirectory (root .. "/clips", 0)
  local words = clip.name:gsub ("%.%w+$", ""):gsub ("[^%w%-]+", "_"):sub (1, 40)
  clip.file = "clips/" .. words .. "-" .. id .. ".wav"
  local path = root .. "/" .. clip.file
  local file, problem = io.open (path .. ".part", "wb")
  if not file then return false, "The clip could not be written: " .. problem end
  local heard = write_sound (file, clip.take, clip.rate, clip.channels, clip.samples)
  file:close ()
  if not heard then
    os.remove (path .. ".part")
    return false, string.format ("REAPER could not read the sound of %q. Is its file online?", clip.name)
  end
  return os.rename (path .. ".part", path)
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
