-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: place results", author = "Athanor", license = "MIT",
  description = [[Places what is finished on new tracks at its exact sample.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().place ()
end end
