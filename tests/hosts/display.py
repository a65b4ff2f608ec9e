# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen that nobody sees, for programs that want one: their windows by title, and how to close one."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
_VIEWABLE, _CLIENT_MESSAGE, _LONG = 2, 33, ctypes.c_ulong
_LOOK_S = 0.03


def until(condition: Callable[[], T], what: str, limit_s: float = 30.0) -> T:
    """Wait until `condition` gives something true and return that; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {limit_s:g} s for {what}")
        time.sleep(_LOOK_S)


class _Attributes(ctypes.Structure):
    # XWindowAttributes: only map_state is read.
    _fields_ = [("numbers", ctypes.c_int * 6), ("visual", ctypes.c_void_p), ("root", _LONG), ("more", ctypes.c_int * 4),
                ("planes", _LONG * 2), ("under", ctypes.c_int), ("colormap", _LONG), ("installed", ctypes.c_int),
                ("map_state", ctypes.c_int), ("rest", ctypes.c_long * 8)]


class _ClientMessage(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", _LONG), ("sent", ctypes.c_int), ("display", ctypes.c_void_p),
                ("window", _LONG), ("message", _LONG), ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
                ("rest", ctypes.c_long * 24)]


class Display:
    """A virtual X server. name: what DISPLAY has to be for programs that shall appear on it."""

    def __init__(self, xvfb: Path) -> None:
        read, write = os.pipe()
        words = ["-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        self._server = subprocess.Popen([str(xvfb), *words], pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as told:
            self.name = f":{told.readline().strip()}"
        self._x = ctypes.CDLL("libX11.so.6")
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XDefaultRootWindow.restype = self._x.XInternAtom.restype = _LONG
        # A window may go away between two questions about it; Xlib would end this process for that.
        self._on_error = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
        self._x.XSetErrorHandler(self._on_error)
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(self.name.encode()))

    def stop(self) -> None:
        """End the server, and with it every program that still shows something on it."""
        self._x.XCloseDisplay(self._display)
        self._server.terminate()
        self._server.wait(10)

    def windows(self) -> dict[str, int]:
        """The windows that can be seen, by title."""
        found = {}
        for window in self._children():
            attributes, title = _Attributes(), ctypes.c_char_p()
            self._x.XGetWindowAttributes(self._display, _LONG(window), ctypes.byref(attributes))
            self._x.XFetchName(self._display, _LONG(window), ctypes.byref(title))
            if attributes.map_state == _VIEWABLE and title.value:
                found[title.value.decode("utf-8", "replace")] = window
        return found

    def close_window(self, title: str) -> None:
        """Wait for a window of that title, and close it as its close button does."""
        window = until(lambda: self.windows().get(title), f"a window called {title!r}")
        protocols, delete = (self._x.XInternAtom(self._display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        message = _ClientMessage(type=_CLIENT_MESSAGE, sent=1, window=window, message=protocols, format=32)
        message.data[0] = delete
        self._x.XSendEvent(self._display, _LONG(window), 0, ctypes.c_long(0), ctypes.byref(message))
        self._x.XSync(self._display, 0)
        until(lambda: title not in self.windows(), f"the window {title!r} to close")

    def _children(self) -> list[int]:
        root, parent, count = _LONG(), _LONG(), ctypes.c_uint()
        windows = ctypes.POINTER(_LONG)()
        self._x.XQueryTree(self._display, _LONG(self._x.XDefaultRootWindow(self._display)), ctypes.byref(root),
                           ctypes.byref(parent), ctypes.byref(windows), ctypes.byref(count))
        children = [windows[index] for index in range(count.value)]
        if children:
            self._x.XFree(windows)
        return children
