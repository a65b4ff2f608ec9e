-- SPDX-License-Identifier: MIT
-- Take results that were done while REAPER was closed, and go on listening until REAPER ends.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
local spool = require "spool"
local known, problem = spool.open ()
if known then require ("watch").start (true) else reaper.ShowMessageBox (problem, "Athanor", 0) end
