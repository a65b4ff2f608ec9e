-- SPDX-License-Identifier: MIT
-- Files that are read and written whole.

local files = {}

-- The whole text of a file, nil where there is none.
function files.read (path)
  local file = io.open (path, "rb")
  local text = file and file:read ("a")
  if file then file:close () end
  return text
end

-- Writes a file under another name and then gives it its own, so that nobody finds half of one: true, or nil and why not.
-- fill (file) writes what is in it, and raises where it cannot.
function files.make (path, fill)
  local part = path .. ".part"
  local file, why = io.open (part, "wb")
  if not file then return nil, why end
  local done, closed, late
  done, why = pcall (fill, file)
  closed, late = file:close ()
  if not (done and closed) then
    os.remove (part)
    return nil, why or late
  end
  if os.rename (part, path) then return true end
  os.remove (path) -- some systems do not rename over a file
  return os.rename (part, path)
end

-- The same, of a text.
function files.write (path, text)
  return files.make (path, function (file) assert (file:write (text)) end)
end

return files
