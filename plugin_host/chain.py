# SPDX-License-Identifier: GPL-3.0-or-later
"""A chain of plugins, and a clip's way through it.

A chain is plain data: it can be written in a preset, kept in a journal and sent to another process. Built-in effects
run here; each third-party plugin runs in a process of its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plugin_host.built_in import check_built_in, run_built_in
from plugin_host.scan import find_plugin
from server.audio import Clip, require_length
from server.errors import InvalidInput, InvalidOption, PluginFailed
from server.kinds.base import nearest

DEFAULT_TIMEOUT_S = 60.0

OnStep = Callable[[int, int, str], None]
"""Called with (plugins done, plugins in all, name of the current one); raises `JobCancelled` to stop."""


class Link(BaseModel):
    """One plugin of a chain: exactly one of `builtin`, `vst3` and `au`, and how it is set."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    builtin: str | None = Field(None, description="Class name of a Pedalboard effect, such as Reverb.")
    vst3: str | None = Field(None, description="Name or path of an installed VST3 plugin.")
    au: str | None = Field(None, description="Name or path of an installed Audio Unit (macOS).")
    parameters: dict[str, float | bool | str] = Field({}, description="Names and values; the rest stays as it is.")
    raw_state: str = Field("", description="Saved state of a VST3 or AU plugin, base64; set before the parameters.")
    timeout_s: float = Field(DEFAULT_TIMEOUT_S, gt=0, le=3600, allow_inf_nan=False,
                             description="Longest time for loading and rendering; VST3 and AU only.")

    @property
    def format(self) -> str:
        return next(name for name in ("builtin", "vst3", "au") if getattr(self, name) is not None)

    @property
    def plugin(self) -> str:
        """What the link says: a class name, a plugin's name or its path."""
        return getattr(self, self.format)

    @property
    def name(self) -> str:
        return self.plugin if self.builtin else Path(self.plugin).stem


class Chain(BaseModel):
    """Plugins in the order in which a clip passes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str
    links: tuple[Link, ...] = Field(min_length=1)


def parse_chain(title: str, links: Sequence[Mapping[str, Any]]) -> Chain:
    """A chain from plain mappings, as a preset has them. Whether VST3 and AU plugins are installed is not asked.

    Raises:
        InvalidOption: an unknown key, plugin or parameter (the nearest known one is named), or a value out of range.
    """
    if not isinstance(links, Sequence) or isinstance(links, str) or not links:
        raise InvalidOption(f"The chain {title!r} names no plugin; give at least one.")
    return Chain(title=title, links=tuple(_parse_link(link, f"{title}, plugin {number}")
                                          for number, link in enumerate(links, 1)))


def resolve_chain(chain: Chain) -> Chain:
    """The chain with the full path of every third-party plugin.

    Raises:
        InvalidOption: one is not installed; names the nearest installed one.
    """
    return Chain(title=chain.title, links=tuple(
        link if link.builtin else link.model_copy(update={link.format: str(find_plugin(link.format, link.plugin).path)})
        for link in chain.links))


def run_chain(chain: Chain, clip: Clip, *, timeout_s: float | None = None, on_step: OnStep | None = None) -> Clip:
    """A clip through a chain: same rate, channels and length, each plugin on the whole clip from a fresh state.

    Args:
        clip: one or two channels, at least 50 ms.
        timeout_s: limit for each third-party plugin, in place of the links' own.
        on_step: called before each plugin, some 20 times a second while a third-party one works, and at the end.

    Raises:
        InvalidInput: more than two channels, or too short.
        InvalidOption: a plugin that is not installed, or a parameter or value that it does not take.
        PluginTimeout: a third-party plugin ran past its limit.
        PluginFailed: one crashed, refuses the clip (a mono plugin given stereo, for one), or gave NaN or infinity.
    """
    require_length(clip, "The clip")
    if clip.channels > 2:
        raise InvalidInput(f"The clip has {clip.channels} channels; plugins take 1 or 2. Fold it first.")
    chain = resolve_chain(chain)
    report = on_step or (lambda done, n_links, name: None)
    for done, link in enumerate(chain.links):
        clip = _run_link(link, clip, timeout_s, lambda done=done, link=link: report(done, len(chain.links), link.name))
    report(len(chain.links), len(chain.links), "")
    return clip


def _run_link(link: Link, clip: Clip, timeout_s: float | None, on_wait: Callable[[], None]) -> Clip:
    on_wait()
    if link.builtin:
        rendered = Clip(run_built_in(link.builtin, link.parameters, clip.samples, clip.sample_rate), clip.sample_rate)
        assert rendered.samples.shape == clip.samples.shape
    else:
        from plugin_host.guard import run_plugin

        rendered = run_plugin(Path(link.plugin), link.parameters, link.raw_state, clip,
                              timeout_s=timeout_s or link.timeout_s, on_wait=on_wait)
    if not np.isfinite(rendered.samples).all():
        raise PluginFailed(f"{link.name} gave NaN or infinite samples. Soften its parameters, or leave it out.")
    return rendered


def _parse_link(link: Mapping[str, Any], where: str) -> Link:
    if not isinstance(link, Mapping):
        raise InvalidOption(f"{where}: give a table such as {{ builtin = \"Reverb\" }}, not {link!r}.")
    for key in link:
        if key not in Link.model_fields:
            raise InvalidOption(f"{where} has no {key!r}{nearest(key, Link.model_fields)}")
    given = [key for key in ("builtin", "vst3", "au") if link.get(key)]
    if len(given) != 1:
        raise InvalidOption(f"{where}: give exactly one of builtin, vst3 and au, not "
                            f"{' and '.join(given) or 'none'}.")
    try:
        parsed = Link.model_validate(dict(link))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"][:2])
        raise InvalidOption(f"{where}: {key} = {problem['input']!r}: {problem['msg']}.") from None
    _check_settings(parsed, where)
    return parsed


def _check_settings(link: Link, where: str) -> None:
    if link.builtin:
        check_built_in(link.builtin, link.parameters)
        if link.raw_state or "timeout_s" in link.model_fields_set:
            raise InvalidOption(f"{where}: raw_state and timeout_s are for VST3 and AU; {link.builtin} has none.")
    for name, value in link.parameters.items():
        if isinstance(value, float) and not np.isfinite(value):
            raise InvalidOption(f"{where}: {name} = {value} is not a number that can be set.")
    try:
        base64.b64decode(link.raw_state, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise InvalidOption(f"{where}: raw_state is not base64 ({cause}). Save the plugin's state again.") from cause
