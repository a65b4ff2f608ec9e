-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: four edits", author = "Athanor", license = "MIT",
  description = [[Renders the selected region in four other ways; you say which.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().render { verb = "preset", values = { "edit_four" }, ask = "@to a choir singing aah, howling wind, breaking glass, drum hits" }
end end
