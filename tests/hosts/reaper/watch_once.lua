-- SPDX-License-Identifier: GPL-3.0-or-later
-- What Athanor_listen.lua does, but only until nothing is under way. SCRIPTS is where the scripts are.
package.path = os.getenv ("SCRIPTS") .. "/athanor/?.lua;" .. package.path
assert (require ("spool").open ())
require ("watch").start (false)
