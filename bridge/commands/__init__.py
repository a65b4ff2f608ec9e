# SPDX-License-Identifier: GPL-3.0-or-later
"""One file per group of commands; each is imported when it is used."""
