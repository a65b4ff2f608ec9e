# SPDX-License-Identifier: MIT
"""OSC messages as bytes: texts, whole numbers and floats, nothing else. Pure."""

import struct


def encode(address, *values):
    """The datagram of a message; every value goes as a text, which the bridge reads and nothing rounds."""
    texts = [str(value) for value in values]
    return b"".join(_padded(text) for text in (address, "," + "s" * len(texts), *texts))


def decode(data):
    """(address, values) of a datagram; ValueError where it is none of the bridge's."""
    try:
        address, at = _text(data, 0)
        tags, at = _text(data, at)
        values = []
        for tag in tags[1:]:
            if tag == "s":
                value, at = _text(data, at)
            else:
                (value,) = struct.unpack_from({"i": ">i", "f": ">f"}[tag], data, at)
                at += 4
            values.append(value)
    except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"not a message: {error}") from None
    return address, values


def _padded(text):
    data = text.encode("utf-8") + b"\0"
    return data + b"\0" * (-len(data) % 4)


def _text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8"), end + 4 - end % 4
