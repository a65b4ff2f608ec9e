# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bridge keeps its own things, in the data folder that it shares with the server."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home_folder() -> Path:
    """The data folder: ATHANOR_HOME, else the platform's place for an application's data."""
    chosen = os.environ.get("ATHANOR_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("athanor", appauthor=False)


def bridge_folder() -> Path:
    """The bridge's own folder, not necessarily there yet."""
    return home_folder() / "bridge"


def work_folder() -> Path:
    """Working files of running requests."""
    return bridge_folder() / "work"


def journal_path() -> Path:
    """The bridge's journal."""
    return bridge_folder() / "journal.db"
