-- SPDX-License-Identifier: MIT
-- Four edits of each selected item, as takes of it.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").render ("preset edit_four", {}, true)
