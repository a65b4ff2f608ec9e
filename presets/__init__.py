# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets: one TOML file per sound, task or chain, shipped in this folder or kept in the person's own."""

from presets.library import add, export, listing, load, load_chain, problems, user_folder
from presets.preset import Preset, parse_preset, read_preset

__all__ = ["Preset", "add", "export", "listing", "load", "load_chain", "parse_preset", "problems", "read_preset",
           "user_folder"]
