# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge over HTTP, on this machine only: the requests of the table as JSON, events, files and OSCQuery."""
