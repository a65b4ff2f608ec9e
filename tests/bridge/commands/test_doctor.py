# SPDX-License-Identifier: GPL-3.0-or-later
"""doctor: what it finds, with a driver program and folders as they may be."""

import os
import socket
import sys
from pathlib import Path

import pytest

from bridge.commands import doctor


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Puts a program on the PATH that answers as NVIDIA's does."""

    def install(answer: str, status: int = 0) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return install


def only(check):
    (finding,) = check()
    return finding


@pytest.mark.skipif(sys.platform == "win32", reason="the driver program here is a shell script")
def test_a_card_with_a_torch_for_the_cpu_is_found_and_the_repair_is_given(driver):
    facts = doctor._torch_facts()
    if facts is None or facts["built_for"] is not None:
        pytest.skip("this torch is built for CUDA")
    driver("NVIDIA H200")
    finding = only(doctor.check_torch)
    assert finding.state == "bad"
    assert "NVIDIA H200 is here" in finding.text
    assert finding.repair.startswith("pip install --force-reinstall torch")


@pytest.mark.skipif(sys.platform == "win32", reason="the driver program here is a shell script")
def test_a_driver_that_finds_no_card_is_no_card(driver):
    driver("No devices were found", 6)
    assert doctor._nvidia_card() is None


def test_this_python_and_these_packages_are_fit():
    assert only(doctor.check_python).state == "ok"
    assert {finding.state for finding in doctor.check_packages()} <= {"ok", "note"}


def test_folders_that_can_not_be_made_are_bad(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("ATHANOR_ROOT", str(tmp_path / "root"))
    home, root = doctor.check_folders()
    assert (home.what, home.state) == ("data folder", "bad")
    assert "--home" in home.repair
    assert root.state in ("ok", "bad")
    assert not (tmp_path / "root").exists(), "looking changes nothing"


def test_a_port_in_use_is_told():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", 9101))
        except OSError:
            pass  # somebody has it already, which is as good
        assert "in use" in only(doctor.check_port).text


def test_a_broken_preset_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("ATHANOR_HOME", str(tmp_path))
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "broken.toml").write_text("kind = 7")
    finding = only(doctor.check_presets)
    assert finding.state == "note"
    assert "broken.toml" in finding.repair


def test_an_existing_parent_is_found():
    assert doctor._existing(Path(__file__) / "no" / "such") == Path(__file__)
