-- SPDX-License-Identifier: MIT
-- Four edits of each selected item, towards what you name, as takes of it.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").with_list ("preset edit_four", "to", "a choir singing aah, howling wind, breaking glass, drum hits", true)
