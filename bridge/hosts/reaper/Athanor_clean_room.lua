-- SPDX-License-Identifier: MIT
-- Take the room out of each selected item; the result is a take of it.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").render ("preset restore_room", {}, true)
