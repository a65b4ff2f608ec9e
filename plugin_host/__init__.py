# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugin chains, run where the plugins are: in the bridge or the command line, never on the server."""

from plugin_host.chain import Chain, Link, parse_chain, resolve_chain, run_chain

__all__ = ["Chain", "Link", "parse_chain", "resolve_chain", "run_chain"]
