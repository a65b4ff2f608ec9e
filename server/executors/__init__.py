# SPDX-License-Identifier: GPL-3.0-or-later
"""Who carries jobs out: one interface, and the local worker process behind it."""
