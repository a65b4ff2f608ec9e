# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge runs on a machine without torch: no module of it imports it."""

import pkgutil
import subprocess
import sys

import bridge


def test_no_module_of_the_bridge_imports_torch():
    names = [module.name for module in pkgutil.walk_packages(bridge.__path__, "bridge.") if "__main__" not in module.name]
    assert "bridge.commands.render" in names
    program = f"import sys, importlib; [importlib.import_module(name) for name in {names}]; print('torch' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert asked.stdout.strip() == "False", asked.stderr
