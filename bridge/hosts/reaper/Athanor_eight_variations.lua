-- SPDX-License-Identifier: MIT
-- Eight variations of each selected item, each on a new track.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").render ("preset vary_eight", {}, false)
