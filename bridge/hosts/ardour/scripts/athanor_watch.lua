-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorHook", name = "Athanor: results land by themselves", author = "Athanor", license = "MIT",
  description = [[Looks once a second whether Athanor has finished something for this session.]]
}

function signals ()
  return LuaSignal.Set ():add ({ [LuaSignal.LuaTimerS] = true })
end

function factory ()
  local load = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  local athanor = load and load ()
  local busy = false
  return function ()
    if athanor and not busy then -- a dialog that is open lets the timer run on
      busy = true
      athanor.watch ()
      busy = false
    end
  end
end
