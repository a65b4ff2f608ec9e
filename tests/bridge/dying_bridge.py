# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that kills itself (SIGKILL) at one commit of its journal: `dying_bridge.py before|after STAGE` + its options.

What `before` leaves is a stage's work done and not written down; what `after` leaves is written down and not gone on with.
"""

import os
import signal
import sys

from bridge.cli import main
from bridge.journal import Journal

moment, fatal_stage = sys.argv[1:3]
advance, accept, describe = Journal.advance, Journal.accept, Journal.describe


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_advance(self, job_id, stage, **more):
    if moment == "before" and stage == fatal_stage:
        die()
    entry = advance(self, job_id, stage, **more)
    if moment == "after" and stage == fatal_stage:
        die()
    return entry


def dying_accept(self, request):
    accepted = accept(self, request)
    if fatal_stage == "pre":
        die()
    return accepted


Journal.advance, Journal.accept = dying_advance, dying_accept
sys.exit(main(["bridge", *sys.argv[3:]]))
