-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: render with a preset", author = "Athanor", license = "MIT",
  description = [[Sends the selected regions to Athanor with the preset that you name.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().render {}
end end
