# SPDX-License-Identifier: GPL-3.0-or-later
"""One file per method: a function of (clips, options, context) that returns outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from server.audio import Clip
from server.errors import InvalidOption
from server.methods.context import Context, Output, Progress
from server.models.catalogue import CATALOGUE, METHODS_OF_LAYOUT, able

if TYPE_CHECKING:
    from server.models.base import Backbone


def run(kind: str, clips: Mapping[str, Clip], options: Any, context: Context) -> list[Output]:
    """Run `server.methods.<kind>.run`; the module is imported here, so that a kind costs only what it needs.

    Every backbone is given to it as one that takes clips of any length (`server.models.windowed`).

    Raises:
        InvalidOption: the backbone is one that the method cannot use; the message names those that it can.
        AthanorError: as the method.
    """

    shown = Progress(0, 1, "loading")

    def on_step(progress: Progress) -> None:
        nonlocal shown
        shown = progress
        context.on_step(progress)

    def backbone(name: str) -> Backbone:
        from server.models.windowed import windowed  # torch comes with the first model

        if name in CATALOGUE:  # before it is fetched and loaded in vain
            _require(kind, name, METHODS_OF_LAYOUT.get(CATALOGUE[name].layout))
        loaded = context.backbone(name)
        _require(kind, loaded.facts.name, loaded.facts.methods)
        return windowed(loaded, context.free_memory, lambda: context.on_step(shown))

    return import_module(f"server.methods.{kind}").run(clips, options, replace(context, backbone=backbone, on_step=on_step))


def _require(kind: str, name: str, methods: frozenset[str] | None) -> None:
    """Raise InvalidOption unless `kind` is one of `methods`, where these are all that the backbone can be used for."""
    if methods is not None and kind not in methods:
        raise InvalidOption(f"{kind} cannot use {name}, which was made for {' and '.join(sorted(methods))} alone. "
                            f"Backbones that can: {', '.join(able(kind))}.")
