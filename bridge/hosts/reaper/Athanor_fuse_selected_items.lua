-- SPDX-License-Identifier: MIT
-- Fuse two selected items: the upper one is the original, the lower one the reference.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").render ("preset fuse_equilibrium", {}, false)
