-- SPDX-License-Identifier: MIT
-- A small window that says how far the jobs are. Escape cancels them; closing it stops the watching, not the jobs.

local window = {}
local WIDTH, ROW, ESCAPE = 420, 26, 27
local is_open = false

-- Draws a row for each of `rows` ({text, fraction}); returns "cancel" or "closed" where the person asked for it.
function window.show (rows)
  if #rows == 0 then
    window.close ()
    return nil
  end
  if not is_open then
    gfx.init ("Athanor (Esc cancels)", WIDTH, ROW * 4, 0)
    is_open = true
  end
  for i, row in ipairs (rows) do
    local top = (i - 1) * ROW
    gfx.set (0.25, 0.45, 0.7, 1)
    gfx.rect (4, top + 4, (WIDTH - 8) * math.max (0, math.min (1, row.fraction)), ROW - 8, 1)
    gfx.set (1, 1, 1, 1)
    gfx.x, gfx.y = 8, top + 7
    gfx.drawstr (row.text)
  end
  gfx.update ()
  local key = gfx.getchar ()
  if key == -1 then
    is_open = false
    return "closed"
  end
  return key == ESCAPE and "cancel" or nil
end

function window.close ()
  if is_open then gfx.quit () end
  is_open = false
end

return window
