# SPDX-License-Identifier: GPL-3.0-or-later
"""The furnace: a long-lived render server. Only worker-side modules import torch."""

__version__ = "0.1.0"
