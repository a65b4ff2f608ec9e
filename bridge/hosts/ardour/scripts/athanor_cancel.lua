-- SPDX-License-Identifier: MIT
ardour {
  ["type"] = "EditorAction", name = "Athanor: cancel the newest render", author = "Athanor", license = "MIT",
  description = [[Stops the newest render of this session that has not ended.]]
}

function factory () return function ()
  local athanor, why = loadfile (ARDOUR.user_config_directory (-1) .. "/athanor/athanor.lua")
  if not athanor then
    LuaDialog.Message ("Athanor", why, LuaDialog.MessageType.Error, LuaDialog.ButtonType.Close):run ()
    return
  end
  athanor ().cancel ()
end end
