# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python side of hosts whose files take more than copying, or that are steered from outside."""
