# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the house: who may import whom, what may load torch, what must be documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("server", "bridge", "plugin_host", "presets")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# What each room may import of the project, longest prefix first; "" stands for everything not named.
CLIENT_SIDE = ("server.errors", "server.protocol", "server.client", "server.kinds", "server.audio", "server.pairing",
               "server.whole_file")
MAY_IMPORT = {
    "server.sampling": ("server.errors", "server.sampling"),
    "server.models": ("server.errors", "server.audio", "server.sampling", "server.models"),
    "server.measure.timbre": ("server.audio", "server.measure"),
    # Renders as a composer would and measures the result, so it stands above the methods.
    "server.measure": ("server",),
    "server.methods": ("server.errors", "server.audio", "server.kinds", "server.measure.timbre", "server.sampling",
                       "server.models", "server.methods"),
    "server.kinds": ("server.errors", "server.kinds"),
    "server.errors": (),
    "server.audio": ("server.errors", "server.bwf", "server.loudness"),
    "server.protocol": ("server.errors", "server.jobs"),
    "server.jobs": ("server.errors",),
    "plugin_host": ("server.errors", "server.audio", "server.kinds", "plugin_host"),
    "presets": ("server.errors", "server.kinds", "plugin_host", "presets"),
    "bridge": (*CLIENT_SIDE, "plugin_host", "presets", "bridge"),
}
# Rooms where torch and what it brings may be imported; everywhere else the server answers before torch is loaded.
WITH_TORCH = ("server.sampling", "server.models", "server.methods", "server.measure")
HEAVY = {"torch", "diffusers", "transformers", "peft", "safetensors", "accelerate"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Absolute names that a file imports; `from a import b` gives a.b."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.iter_child_nodes(tree) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    module = module_of(path)
    room = next((room for room in MAY_IMPORT if within(module, (room,))), None)
    for name in imports(path):
        if room and name.split(".")[0] in PACKAGES and name != "server.__version__":
            assert within(name, MAY_IMPORT[room]), f"{module} imports {name}"
        if not within(module, WITH_TORCH):
            assert name.split(".")[0] not in HEAVY, f"{module} imports {name}"


@pytest.mark.parametrize("module", ["server.frontend", "server.client", "server.kinds", "bridge.cli", "bridge.session",
                                    "bridge.daemon", "plugin_host", "presets"])
def test_the_composer_s_side_and_the_front_end_run_without_torch(module):
    code = f"import sys, {module}; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize("path", [path for path in FILES if within(module_of(path), ("server.sampling", "server.methods"))
                                  or path.name == "base.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path.name} does not say its one idea"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"


def test_the_code_keeps_its_style():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
