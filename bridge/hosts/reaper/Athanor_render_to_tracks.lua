-- SPDX-License-Identifier: MIT
-- Ask what to do with the selected items; results go onto new tracks below them.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").by_dialog (false)
