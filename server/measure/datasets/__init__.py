# SPDX-License-Identifier: GPL-3.0-or-later
"""What the papers' tables are made of: their data in the published layouts, and an offline set for who has none of it."""
