-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: split into stems", author = "Athanor", license = "MIT",
  description = [[Takes the selected region apart; you name the sounds that are in it.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().render { verb = "render/separate", ask = "@stem drums, bass, voice" }
end end
