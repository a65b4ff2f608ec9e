-- SPDX-License-Identifier: MIT
-- Split each selected item into stems, each on a new track.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").render ("preset separate_stems", {}, false)
