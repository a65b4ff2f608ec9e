-- SPDX-License-Identifier: MIT
-- Split each selected item into the stems that you name, each on a new track.
package.path = select (2, reaper.get_action_context ()):match ("^(.*[/\\])") .. "athanor/?.lua;" .. package.path
require ("ask").with_list ("preset separate_stems", "stem", "drum hits, a bowed string, a choir singing aah", false)
