# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that only some formats need: the extra `interchange`."""

from __future__ import annotations

import importlib
from typing import Any

from server.errors import InvalidOption


def load(module: str, package: str, format: str) -> Any:
    """The library of a format; InvalidOption (`missing_package`) saying what to install if it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidOption(f"--as {format} needs the package {package} ({error}): pip install "
                            "'athanor-audio[interchange]', or choose --as dawproject or rpp, which need nothing more.",
                            code="missing_package") from error
