-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: fill a dropout", author = "Athanor", license = "MIT",
  description = [[Fills the selected range of a region from what is around it.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().render { verb = "preset", values = { "restore_dropout" }, gap = true }
end end
