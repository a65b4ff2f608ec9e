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
  athanor ().render { verb = "preset", values = { "separate_stems" }, ask = "@stem drum hits, a bowed string, a choir singing aah" }
end end
