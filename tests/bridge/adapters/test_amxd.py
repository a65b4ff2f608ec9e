# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from py2max.m4l import unpack_amxd

from bridge.adapters.amxd import pack, unpack
from bridge.host_files import HOSTS
from server.errors import InvalidInput


def test_a_device_s_container_is_read_back_and_a_broken_one_refused():
    data = pack('{"patcher": "ü"}', "A.maxpat")
    assert unpack(data) == ('{"patcher": "ü"}', "A.maxpat", b"aaaa")
    assert int.from_bytes(data[16:20], "little") == len(data) - 20
    for broken in (data[:-1], data[:30], b"x" + data[1:], data[:40]):
        with pytest.raises(InvalidInput, match="device"):
            unpack(broken)


def test_py2max_reads_the_device_as_we_do():
    data = (HOSTS / "live" / "Athanor.amxd").read_bytes()
    body, kind = unpack_amxd(data)
    assert (body.decode(), kind) == (unpack(data)[0], "audio_effect")
