# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as files that other programs open as a project: one pure timeline, one writer for each format."""
