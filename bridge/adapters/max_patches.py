# SPDX-License-Identifier: GPL-3.0-or-later
"""The patches for Max and the device for Max for Live, made from the table of routes by py2max, which knows Max's objects.

`python -m bridge.adapters.max_patches` writes them beside their scripts; a test compares them with a fresh make.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from py2max import Patcher
from py2max.core import Box
from py2max.core.common import Rect

from bridge.adapters.amxd import pack
from bridge.adapters.max_table import short, table_script
from bridge.host_files import HOSTS
from bridge.routes import DEFAULT_PORT, EVENTS, PREFIX, ROUTES, Route

OBJECTS = set("""athanor buffer~ button comment conformpath deferlow dropfile ezdac~ inlet js live.thisdevice message newobj
                 outlet playlist~ plugin~ plugout~ prepend print route slider t textbutton textedit udpreceive udpsend
                 umenu""".split())
"""Objects that may occur: each is in Max 8 itself, but `athanor`, which is the patch."""

_LICENCE = "SPDX-License-Identifier: MIT. You may use and change this patch in your own work."
_DISPLAY = ("status", "progress", "what", "results", "playlist", "clips")
_EXAMPLES = {"i": "1", "f": "1.", "s": "text"}
_HELP = (
    "athanor [NAME PORT]: renders sounds with Athanor, which runs beside Max (athanor up). Drop files onto it, choose a "
    "kind or a preset, type options as @name value, press render. Results come from the left outlet as `result FILE ROLE "
    "INDEX COUNT`, and can be heard and dragged out of the list below the menu.")


class Sheet:
    """A patch in the making: objects one below the other, and those of the display also where a person sees them."""

    def __init__(self, path: str, title: str, display: bool = False) -> None:
        self.patch = Patcher(path, title=title, on_invalid="raise", openinpresentation=int(display))
        self.patch.rect = Rect(80.0, 100.0, 362.0, 222.0) if display else Rect(80.0, 100.0, 1740.0, 1030.0)
        self._row = 0

    def add(self, text: str, inlets: int | None = None, outlets: int | None = None) -> Box:
        """An object box. inlets and outlets: where they are more or fewer than Max's reference says."""
        kwargs = {} if outlets is None else {"numinlets": inlets, "numoutlets": outlets, "outlettype": [""] * outlets}
        return self.patch.add_textbox(text, patching_rect=self._place(), **kwargs)

    def message(self, text: str) -> Box:
        return self.patch.add_message(text, patching_rect=self._place())

    def comment(self, text: str) -> Box:
        return self.patch.add_comment(text, patching_rect=self._place(height=22.0 if len(text) < 80 else 58.0))

    def shown(self, name: str, rect: tuple[float, float, float, float], **settings: Any) -> Box:
        """An object that a person sees and uses."""
        label = settings.pop("text", None)
        box = self.patch.add_textbox(name, maxclass=name, patching_rect=self._place(rect[2], rect[3]), **settings)
        if label is not None:
            box._kwds["text"] = label
        return self.on_display(box, rect)

    def on_display(self, box: Box, rect: tuple[float, float, float, float]) -> Box:
        """Show a box in presentation mode, too. rect: left, top, width, height in pixels."""
        box.add_to_presentation(list(rect))
        return box

    def chain(self, *boxes: Box) -> None:
        """First outlet to first inlet, each to the next."""
        for one, other in zip(boxes, boxes[1:], strict=False):
            self.patch.add_line(one, other)

    def line(self, source: Box, outlet: int, target: Box, inlet: int = 0) -> None:
        self.patch.add_line(source, target, inlet=inlet, outlet=outlet)

    def text(self) -> str:
        """The patch as a file's text; ValueError where py2max finds something wrong."""
        wrong = [str(finding) for finding in self.patch.lint() if finding.severity == "error"]
        if wrong:
            raise ValueError("; ".join(wrong))
        return json.dumps(self.patch.to_dict(), indent=1, ensure_ascii=True) + "\n"

    def _place(self, width: float = 360.0, height: float = 22.0) -> Rect:
        self._row += 1
        column, row = divmod(self._row - 1, 16)
        return Rect(30.0 + 420 * column, 30.0 + 60 * row, width, height)


def max_patch() -> str:
    """`athanor.maxpat`: the patch that does it all, for a [bpatcher] or as an object."""
    sheet = Sheet("athanor.maxpat", "Athanor", display=True)
    sheet.comment(_LICENCE)
    inlet = sheet.add("inlet")
    script = sheet.add("js athanor.js #1 #2", 1, 6)
    sheet.chain(inlet, script)
    _network(sheet, script)
    ui = _display(sheet, script)
    player = sheet.shown("playlist~", (10.0, 150.0, 340.0, 60.0))
    sheet.line(ui, _DISPLAY.index("playlist"), player)
    drop = sheet.shown("dropfile", (10.0, 28.0, 340.0, 24.0))
    named, clip = sheet.add("conformpath slash boot"), sheet.add("prepend clip")
    sheet.chain(drop, named, clip, script)
    for number, outlet in enumerate((3, 4, 5)):
        out = sheet.add("outlet")
        sheet.line(script, outlet, out)
        out.patching_rect = Rect(900.0 + 60 * number, 990.0, 30.0, 30.0)
    for number in (0, 1):
        out = sheet.add("outlet")
        sheet.line(player, number, out)
        out.patching_rect = Rect(1080.0 + 60 * number, 990.0, 30.0, 30.0)
    return sheet.text()


def max_help() -> str:
    """`athanor.maxhelp`: how to use it, and every message of the table as it goes over the wire."""
    sheet = Sheet("athanor.maxhelp", "Athanor")
    sheet.comment(_HELP)
    sheet.comment(_LICENCE)
    patch = sheet.add("athanor", 1, 5)
    for text in ("clear", "clip original.wav", "render", "fuse original.wav reference.wav @snr_db -9",
                 "preset edit_four original.wav", "generate @prompt rain @seconds 4", "buffer source", "cancel"):
        sheet.chain(sheet.message(text), patch)
    sound, replace = sheet.add("buffer~ source"), sheet.message("replace")
    sheet.chain(replace, sound)
    result, path = sheet.add("route result"), sheet.add("prepend replace")
    back = sheet.add("buffer~ athanor-result")
    sheet.line(patch, 0, result)
    sheet.chain(result, path, back)
    sheet.line(patch, 1, sheet.shown("slider", (0.0, 0.0, 140.0, 20.0), floatoutput=1, size=1.0, orientation=1))
    sheet.line(patch, 2, sheet.add("print athanor"))
    speaker = sheet.shown("ezdac~", (0.0, 0.0, 45.0, 45.0))
    sheet.line(patch, 3, speaker, 0)
    sheet.line(patch, 4, speaker, 1)
    _wire(sheet)
    return sheet.text()


def live_device() -> bytes:
    """`Athanor.amxd`: the device for Live."""
    sheet = Sheet("Athanor.maxpat", "Athanor", display=True)
    sheet.patch.enable_presentation(devicewidth=372)
    sheet.comment(_LICENCE)
    audio, through = sheet.add("plugin~"), sheet.add("plugout~")
    sheet.line(audio, 0, through, 0)
    sheet.line(audio, 1, through, 1)
    script = sheet.add("js athanor_live.js", 1, 4)
    sheet.chain(sheet.add("live.thisdevice"), sheet.add("deferlow"), script)
    _network(sheet, script)
    _display(sheet, script)
    sheet.chain(sheet.shown("textbutton", (10.0, 30.0, 168.0, 20.0), text="add clip"), sheet.message("add"), script)
    lane = sheet.shown("umenu", (182.0, 30.0, 168.0, 22.0), items=["take lane", ",", "new track", ",", "clip slot"])
    named = sheet.add("prepend lane")
    sheet.line(lane, 1, named)
    sheet.chain(named, script)
    return pack(sheet.text(), "Athanor.maxpat")


def _network(sheet: Sheet, script: Box) -> None:
    """The script's first outlet to the bridge, its second says which port is listened on."""
    sheet.line(script, 0, sheet.add(f"udpsend 127.0.0.1 {DEFAULT_PORT}"))
    heard = sheet.add("udpreceive 7400")
    sheet.line(script, 1, heard)
    sheet.chain(heard, script)


def _display(sheet: Sheet, script: Box) -> Box:
    """Menus, fields and buttons around the script's third outlet, which says what they show. Returns what sorts it."""
    sort = sheet.add(f"route {' '.join(_DISPLAY)}")
    sheet.line(script, 2, sort)
    head = sheet.on_display(sheet.comment("Athanor"), (10.0, 6.0, 80.0, 20.0))
    head.patching_rect = Rect(*head.patching_rect[:2], 80.0, 22.0)
    for name, rect in (("status", (90.0, 6.0, 260.0, 20.0)), ("clips", (10.0, 54.0, 256.0, 20.0))):
        said, field = sheet.add("prepend set"), sheet.message("")
        sheet.line(sort, _DISPLAY.index(name), said)
        sheet.chain(said, sheet.on_display(field, rect))
    sheet.chain(sheet.shown("textbutton", (270.0, 54.0, 80.0, 20.0), text="clear"), sheet.message("clear"), script)
    bar = sheet.shown("slider", (10.0, 126.0, 168.0, 18.0), orientation=1, size=101.0, ignoreclick=1)
    sheet.line(sort, _DISPLAY.index("progress"), bar)
    for name, rect, outlet, word in (("what", (10.0, 78.0, 168.0, 22.0), 1, "menu"),
                                     ("results", (182.0, 124.0, 168.0, 22.0), 0, "result")):
        menu, said = sheet.shown("umenu", rect, items=[]), sheet.add(f"prepend {word}")
        sheet.line(sort, _DISPLAY.index(name), menu)
        sheet.line(menu, outlet, said)
        sheet.chain(said, script)
    field, first = sheet.shown("textedit", (182.0, 78.0, 168.0, 44.0), text="@prompt ...", outputmode=1), sheet.add("t b b")
    sheet.chain(field, script)
    for number, word in enumerate(("render", "cancel")):
        button = sheet.shown("textbutton", (10.0 + 86 * number, 102.0, 82.0, 20.0), text=word)
        sheet.chain(button, *([first] if word == "render" else []), sheet.message(word), script)
    sheet.line(first, 1, field)  # the text that stands there, entered or not, before `render`
    return sort


def _wire(sheet: Sheet) -> None:
    """Every request as a message box, and every event as an outlet of [route]: what `athanor` says and hears."""
    sheet.comment("The same by OSC alone: every request and event that there is. docs/osc.md says what they mean.")
    out = sheet.add(f"udpsend 127.0.0.1 {DEFAULT_PORT}")
    for text in example_messages():
        sheet.chain(sheet.message(text), out)
    heard, sort = sheet.add("udpreceive 7480"), sheet.add("route " + " ".join(event.address for event in EVENTS))
    sheet.chain(heard, sort)
    for number, event in enumerate(EVENTS):
        sheet.line(sort, number, sheet.add(f"print {short(event.address)}"))


def example_messages() -> Iterator[str]:
    """One message for each request, with a value for each argument."""
    for route in ROUTES.values():
        yield " ".join([route.address, *_values(route)])


def _values(route: Route) -> list[str]:
    if route.address == f"{PREFIX}/hello":
        return ["max-raw", "7480", "Max", "1"]
    files = {"file": "original.wav", "preset": "edit_four", "job": "r1", "result": "results/fused.wav"}
    return ["r1" if a.name == "request" else files.get(a.name, "original.wav" if a.type == "s" else _EXAMPLES[a.type])
            for a in route.arguments]


def made() -> dict[Path, bytes]:
    """Every file and what it holds."""
    return {HOSTS / "max" / "athanor.maxpat": max_patch().encode(),
            HOSTS / "max" / "athanor.maxhelp": max_help().encode(),
            HOSTS / "max" / "athanor_table.js": table_script().encode(),
            HOSTS / "live" / "Athanor.amxd": live_device()}


if __name__ == "__main__":
    for path, data in made().items():
        path.write_bytes(data)
        print(path)
