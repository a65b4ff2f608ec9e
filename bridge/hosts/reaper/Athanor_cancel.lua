-- SPDX-License-Identifier: MIT
-- Stop everything that was asked for and is not done.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
local spool = require "spool"
if spool.open () then require ("watch").cancel () end
