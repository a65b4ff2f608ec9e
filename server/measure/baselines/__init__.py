# SPDX-License-Identifier: GPL-3.0-or-later
"""Classical methods without a network, one a file, which a restoration or a separation is held against.

Each takes clips and gives clips of the same rate, channels and length. numpy, float64. Where a method has settings, they
are its literature's or were chosen on synthetic sounds, never on the held-out ones.
"""
