# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a composer's machine: OSC, the journal, placement on the timeline, the command line. No torch."""
