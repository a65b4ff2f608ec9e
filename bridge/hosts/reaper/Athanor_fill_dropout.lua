-- SPDX-License-Identifier: MIT
-- Fill the time selection within each selected item; the result is a take of it.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
local ask = require "ask"
ask.render ("preset restore_dropout", ask.gap, true)
