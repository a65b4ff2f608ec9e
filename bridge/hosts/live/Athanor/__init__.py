# SPDX-License-Identifier: MIT
"""Athanor as a control surface of Ableton Live 12.0.5 or later, for sets without Max for Live.

Rename a clip to `athanor KIND @option value ...` and it is rendered; results come onto new tracks at its beat.
"""


def create_instance(c_instance):
    """What Live calls when the control surface is chosen."""
    from .surface import Athanor
    return Athanor(c_instance)
