-- SPDX-License-Identifier: MIT
-- Sound files: 32-bit float WAV.

local files = require "files"

local wav = { BLOCK = 8192 }
local MOST_BYTES = 2 ^ 32 - 1024
local MOST_PACKED = 128 -- a call takes only so many values

local function head (rate, channels, frames)
  local bytes = frames * channels * 4
  return "RIFF" .. string.pack ("<I4", 50 + bytes) .. "WAVEfmt " ..
    string.pack ("<I4I2I2I4I4I2I2I2", 18, 3, channels, rate, rate * channels * 4, channels * 4, 32, 0) ..
    "fact" .. string.pack ("<I4I4", 4, frames) .. "data" .. string.pack ("<I4", bytes)
end

local function packed (samples)
  local parts = {}
  for i = 1, #samples, MOST_PACKED do
    local last = math.min (i + MOST_PACKED - 1, #samples)
    parts[#parts + 1] = string.pack ("<" .. ("f"):rep (last - i + 1), table.unpack (samples, i, last))
  end
  return table.concat (parts)
end

-- Writes `frames` frames at `rate` Hz: true, or nil and why not. read (first, count) gives the interleaved samples of the
-- `count` frames from `first` (from 0) on, at most wav.BLOCK at a time, and raises where it cannot.
function wav.write (path, rate, channels, frames, read)
  if frames * channels * 4 > MOST_BYTES then return nil, "it is too long for a WAV file; cut it." end
  return files.make (path, function (file)
    assert (file:write (head (rate, channels, frames)))
    for first = 0, frames - 1, wav.BLOCK do
      assert (file:write (packed (read (first, math.min (wav.BLOCK, frames - first)))))
    end
  end)
end

return wav
