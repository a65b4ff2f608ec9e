# SPDX-License-Identifier: GPL-3.0-or-later
"""THE table: every OSC address that Athanor takes or sends. Dispatch and `docs/osc.md` are made from it.

`python -m bridge.routes > docs/osc.md` writes the page; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from server.errors import InvalidOption
from server.kinds import KINDS, find_kind
from server.kinds.base import Kind, nearest, repeats

PROFILE = 1
PREFIX = f"/athanor/v{PROFILE}"
OK, ERROR = f"{PREFIX}/ok", f"{PREFIX}/error"
PROGRESS, DONE, FAILED, CANCELLED, JOB = (f"{PREFIX}/{name}" for name in ("progress", "done", "failed", "cancelled", "job"))
CLIP, PRESET_ENTRY, HISTORY_ENTRY = (f"{PREFIX}/{name}/entry" for name in ("clip", "preset", "history"))
DEFAULT_PORT = 9101


@dataclass(frozen=True)
class Argument:
    """A value at a fixed position: `type` is what is written; a request may send any of i, f and s that reads as it."""

    name: str
    type: Literal["i", "f", "s"]
    meaning: str
    required: bool = True


@dataclass(frozen=True)
class Option:
    """A value named by `@name` after the fixed arguments.

    several: each value behind it is an entry of its own. listed: whether the route's page names it.
    """

    name: str
    meaning: str
    several: bool = False
    listed: bool = True


@dataclass(frozen=True)
class Route:
    """A request: `handler` is the method that answers it, `reply` what follows request and address in its `ok`."""

    address: str
    handler: str
    help: str
    arguments: tuple[Argument, ...]
    reply: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    kind: str | None = None


@dataclass(frozen=True)
class Event:
    """A message that Athanor sends by itself, with all its arguments."""

    address: str
    help: str
    arguments: tuple[Argument, ...]


REQUEST = Argument("request", "s", "id of this request, chosen by you; the answer carries it")
JOB_NAME = Argument("job", "s", "job id, or the request id that started it")
CLIENT = Option("client", "name of the client that asks, where each message comes from another port (oscsend)")

_FILE_NAME = "file name under the import root."
_START_OPTIONS = (
    Option("start", "start of the source clip on your timeline, in samples; above 16777216 send it as a text"),
    Option("start_rate", "sample rate that start counts in; the source clip's own if not given"),
    Option("start_s", "the same start in seconds, instead of start"),
    Option("start_beats", "the same start in quarter notes; it counts where a request says @tempo and no other start"),
)
RENDER_OPTIONS = (
    Option("preset", "preset of this kind; its options and plugins hold where the message says nothing"),
    Option("chain", "plugin chain for every result, after the render"),
    Option("pre", "plugin chain for every clip, before the render"),
    *_START_OPTIONS,
    Option("tempo", "quarter notes a minute at the source clip; kept in the record, as metre and key are"),
    Option("meter", "metre, as 6/8"),
    Option("key", "key, as \"A minor\". A prompt has key, metre and tempo only where it says `{key}`, `{meter}` and "
                  "`{tempo}`."),
    Option("bars", "length of the result in bars of that tempo and metre (4/4 if not given), where the kind has `seconds`"),
    Option("lane", "where you will put the results: new_track, take_lane, slot or replace. Default: new_track."),
    Option("track", "name of the track that the source clip lies on; names of results begin with it"),
)
CLIP_OPTIONS = (
    Option("offset", "where the region begins in its file, in samples of the file. Default: 0."),
    Option("length", "how much of the file the region uses, in samples of the file; to the file's end if not given"),
    Option("offset_s", "the same as offset in seconds of the file"),
    Option("length_s", "the same as length in seconds of the file"),
    Option("playback_rate", "how fast it is played, 1/64 to 64: at 2 it is half as long and an octave higher. Default: 1."),
    Option("preserve_pitch", "1 if it is faster or slower at its own pitch. Default: 0."),
    Option("right", "second file of a stereo clip that your host keeps as two mono files; `file` is the left one then"),
    *_START_OPTIONS,
    Option("track", "name of the track that it lies on"),
    Option("role", "the input that it is meant for, as original, reference, clip; in the order of the inputs if not given"),
)
JOB_FIELDS = (
    Argument("job", "s", "job id"),
    Argument("of_request", "s", "request id that started it"),
    Argument("kind", "s", "job kind"),
    Argument("stage", "s", "pre, submitted, rendered, post, placed, failed or cancelled"),
    Argument("phase", "s", "what is being done right now; empty if nothing"),
    Argument("step", "i", "step of the phase"),
    Argument("steps", "i", "steps in the phase"),
)

HELLO = Route(
    f"{PREFIX}/hello", "hello",
    "Say who you are and where answers go. Not needed if answers may go to the port you send from. Finished jobs of this "
    "client that were never acknowledged are announced again.",
    (Argument("client", "s", "a short name that stays the same when the patch is opened again"),
     Argument("reply_port", "i", "port that you listen on; 0 for the port you send from", required=False),
     Argument("name", "s", "a name for people", required=False),
     Argument("profile", "i", f"the version of these messages that you speak: {PROFILE}", required=False)),
    (Argument("profile", "i", "version of these messages"), Argument("version", "s", "version of Athanor"),
     Argument("root", "s", "import root: the folder that file names are relative to"),
     Argument("session", "s", "a text that no other hello was answered with: begin your request ids with it")),
    (Option("via", "spool: your messages are written as files into your spool folder, for a host that cannot listen"),
     Option("wake", "`PORT /address arguments`: an OSC message that is sent to that port of this machine after a message "
                    "was written into the spool folder")),
)
PING = Route(
    f"{PREFIX}/ping", "ping", "Ask whether the bridge is there.",
    (Argument("request", "s", REQUEST.meaning, required=False),),
    (Argument("profile", "i", "version of these messages"), Argument("version", "s", "version of Athanor")),
)
CANCEL = Route(f"{PREFIX}/job/cancel", "cancel", "Stop a job, wherever it is. `cancelled` follows when it has stopped.",
               (REQUEST, JOB_NAME), (Argument("job", "s", "job id"),))
STATUS = Route(f"{PREFIX}/job/status", "status", "Ask how far a job is. If it has ended, its end is announced again.",
               (REQUEST, JOB_NAME), JOB_FIELDS)
LIST = Route(f"{PREFIX}/job/list", "list_jobs", "The newest jobs, at most 50: the answer gives their number, and one "
             f"`{JOB}` follows for each.", (REQUEST,), (Argument("count", "i", "number of jobs"),))
ACK = Route(f"{PREFIX}/job/ack", "acknowledge", "Say that you have seen how a job ended; its end is not repeated again.",
            (REQUEST, JOB_NAME), (Argument("job", "s", "job id"),))
PLACED = Route(f"{PREFIX}/job/placed", "placed", "Say that a job's results lie on your timeline; as `job/ack`, and "
               "`athanor history` tells where.", (REQUEST, JOB_NAME), (Argument("job", "s", "job id"),),
               (Option("where", "where they lie, in words: track, bar, project"),))
CLIP_ADD = Route(
    f"{PREFIX}/clip/add", "add_clip", "Select a region of your timeline, as it sounds. A render without files takes the "
    "regions that are selected as its clips. They stay selected until `clip/clear`, over a restart too; at most 64.",
    (REQUEST, Argument("file", "s", "file name under the import root, or an absolute one in a folder that the person has "
                                    "allowed (`athanor folders allow`)")),
    (Argument("place", "i", "its place in the selection, from 1"),
     Argument("length_samples", "i", "its length as it sounds, in samples of sample_rate"),
     Argument("sample_rate", "i", "of the file, and of results of its length"), Argument("channels", "i", "1 or 2")),
    CLIP_OPTIONS)
CLIP_CLEAR = Route(f"{PREFIX}/clip/clear", "clear_clips", "Select nothing any more.", (REQUEST,),
                   (Argument("count", "i", "number of clips that are selected now: 0"),))
CLIP_LIST = Route(f"{PREFIX}/clip/list", "list_clips", f"What you have selected: the answer gives the number, and one "
                  f"`{CLIP}` follows for each.", (REQUEST,), (Argument("count", "i", "number of clips"),))


_RESULT = Argument("result", "s", "a result's file or its record, under the import root, or the id of a job")
AGAIN = Route(f"{PREFIX}/again", "again", "Render a result again, from its record: the clips, options, plugins and seed of "
              "then. The whole job comes back, at the same place.", (REQUEST, _RESULT), (Argument("job", "s", "job id"),),
              (Option("seed", "another seed, for a relative of it. Without it, the same sound comes back."),))
HISTORY = Route(f"{PREFIX}/history", "history", "Which results there are, newest first: the answer gives the number, and "
                f"one `{HISTORY_ENTRY}` follows for each.", (REQUEST,), (Argument("count", "i", "number of results"),),
                (Option("find", "words that all occur in its name, track, prompt, clips, kind or place"),
                 Option("limit", "at most so many, 1 to 200. Default: 50.")))
PUT_BACK = Route(f"{PREFIX}/history/place", "put_back", "Announce results of the past to you by `done`, as if they had "
                 "just been made, so that they are placed again.", (REQUEST, _RESULT),
                 (Argument("job", "s", "its job id"),))


def render_route(kind: Kind) -> Route:
    """The route of a job kind: its inputs as file names, its options as @name value."""
    placed = tuple(Argument(spec.role, "s", f"{_FILE_NAME} {spec.help}", required=False)
                   for spec in kind.inputs if not spec.flag)
    named = tuple(Option(spec.role, f"{_FILE_NAME} {spec.help}") for spec in kind.inputs if spec.flag)
    options = tuple(Option(name, f"{field.description} {_allowed(field)}", repeats(field) == "text")
                    for name, field in kind.options.model_fields.items())
    return Route(f"{PREFIX}/render/{kind.name}", "render", kind.help, (REQUEST, *placed),
                 (Argument("job", "s", "job id"),), named + options + RENDER_OPTIONS, kind.name)


def _allowed(field: FieldInfo) -> str:
    """The end of an option's entry: its choices, if it has some, and its default."""
    choices = [str(choice) for choice in get_args(field.annotation)] if get_origin(field.annotation) is Literal else []
    listed = f"One of {', '.join(choices)}. " if choices else ""
    if field.is_required():
        return f"{listed}Needed."
    default = field.get_default()
    if isinstance(default, bool):
        return f"1 or 0. Default: {int(default)}."
    return listed if default in (None, (), "") else f"{listed}Default: {default}."


def _preset_route(renders: Sequence[Route]) -> Route:
    """The route that takes its kind from a preset, and therefore the options of every kind."""
    shared = {option.name for option in RENDER_OPTIONS}
    of_kinds = {option.name: replace(option, listed=False) for route in renders for option in route.options
                if option.name not in shared}
    return Route(
        f"{PREFIX}/preset", "preset", "Render your selection with a preset: its kind, its options, its plugins. Options "
        "of that kind, beside those listed here, are set over the preset's.",
        (REQUEST, Argument("preset", "s", "its name")), (Argument("job", "s", "job id"),),
        (*(option for option in RENDER_OPTIONS if option.name != "preset"), *of_kinds.values()))


_RENDERS = tuple(map(render_route, KINDS.values()))
_PRESET = _preset_route(_RENDERS)
_PRESET_LIST = Route(f"{PREFIX}/preset/list", "list_presets", "Which presets there are: the answer gives the number, and "
                     f"one `{PRESET_ENTRY}` follows for each.", (REQUEST,), (Argument("count", "i", "number of presets"),))
ROUTES: dict[str, Route] = {route.address: route for route in (
    HELLO, PING, CLIP_ADD, CLIP_CLEAR, CLIP_LIST, *_RENDERS, _PRESET, _PRESET_LIST, CANCEL, STATUS, LIST, ACK, PLACED,
    AGAIN, HISTORY, PUT_BACK)}
# In no list and on no page: a server refuses these jobs unless it was started for tests.
_DEBUG = render_route(find_kind("debug"))


def find_route(address: str) -> Route:
    """The route of an address, taken as it is written; InvalidOption naming the nearest one if there is none."""
    if address == _DEBUG.address:
        return _DEBUG
    if address not in ROUTES:
        raise InvalidOption(f"there is no address {address!r}{nearest(address, ROUTES)}", code="unknown_address")
    return ROUTES[address]


_LINE = (REQUEST, Argument("index", "i", "this line, from 1"), Argument("count", "i", "number of lines"))
EVENTS = (
    Event(OK, "A request was accepted. Exactly one of `ok` and `error` comes for every request; a request that is sent "
          "again gets the same answer again.",
          (Argument("request", "s", "the request's id (the client's name for hello)"),
           Argument("address", "s", "the request's address"),
           Argument("...", "s", "what the request's own entry says"))),
    Event(ERROR, "A request was refused; nothing was started.",
          (Argument("request", "s", "the request's id; empty if it could not be read"),
           Argument("address", "s", "the request's address"),
           Argument("code", "s", "stable name of the error, for programs"),
           Argument("message", "s", "what was given, what is allowed, what to do"))),
    Event(PROGRESS, "How far a job is; at most 10 a second for each job, and none is repeated.",
          (REQUEST, Argument("job", "s", "job id"),
           Argument("phase", "s", "queued, waiting, loading, learning, sampling, decoding, plugins, ..."),
           Argument("step", "i", "step of the phase; while queued, the place in the queue, from 1"),
           Argument("steps", "i", "steps in the phase; 0 if it has none"),
           Argument("fraction", "f", "step / steps, 0 to 1"), Argument("eta_s", "f", "seconds left; -1 if not known"))),
    Event(DONE, "One result lies in its place; with several results one message for each, all with the same count. Sent "
          "only after the last plugin has run and the file is whole. Repeated until acknowledged.",
          (REQUEST, Argument("job", "s", "job id"), Argument("index", "i", "this result, from 1; 0 if there is none"),
           Argument("count", "i", "number of results"), Argument("role", "s", "what it is, for instance fused"),
           Argument("file", "s", "sound file, relative to the import root"),
           Argument("record", "s", "placement record (JSON), relative to the import root"),
           Argument("start_samples", "i", "start on the timeline in samples of start_rate; -1 if beyond 32 bits"),
           Argument("start_seconds", "f", "the same in seconds"),
           Argument("start_exact", "s", "the same in samples of start_rate, as decimal text: always exact"),
           Argument("start_rate", "i", "sample rate that the start counts in"),
           Argument("start_source", "s", "requested, bext (the source file's stamp) or zero"),
           Argument("length_samples", "i", "length of the file in samples of sample_rate"),
           Argument("sample_rate", "i", "of the file"), Argument("channels", "i", "of the file"))),
    Event(FAILED, "A job ended without a result. Repeated until acknowledged.",
          (REQUEST, Argument("job", "s", "job id"), Argument("code", "s", "stable name of the error, for programs"),
           Argument("retryable", "i", "1 if the same request may work later"),
           Argument("message", "s", "the cause, and what to do"))),
    Event(CANCELLED, "A job was stopped as you asked. Repeated until acknowledged.",
          (REQUEST, Argument("job", "s", "job id"))),
    Event(JOB, "One line of the answer to `job/list`.",
          (*_LINE, *JOB_FIELDS)),
    Event(CLIP, "One line of the answer to `clip/list`.",
          (*_LINE, Argument("role", "s", "the input that it is meant for; empty if it goes by its place"),
           Argument("track", "s", "name of the track that it lies on"),
           Argument("offset_exact", "s", "where it begins in its file, in samples of the file, as decimal text"),
           Argument("length_samples", "i", "length as it sounds, in samples of sample_rate"),
           Argument("sample_rate", "i", "of the file"), Argument("channels", "i", "as it sounds"),
           Argument("file", "s", "as you named it"))),
    Event(PRESET_ENTRY, "One line of the answer to `preset/list`.",
          (*_LINE, Argument("name", "s", "what `preset` and @preset call it; a chain goes behind @chain"),
           Argument("kind", "s", "job kind, or chain"), Argument("title", "s", "a name for people"),
           Argument("description", "s", "what it does"))),
    Event(HISTORY_ENTRY, "One line of the answer to `history`.",
          (*_LINE, Argument("job", "s", "job id"), Argument("kind", "s", "job kind"), Argument("role", "s", "what it is"),
           Argument("created", "s", "when it was asked for, ISO 8601"),
           Argument("file", "s", "sound file, relative to the import root"),
           Argument("name", "s", "what to call its track"), Argument("where", "s", "where a host said that it lies"))),
)

_INTRODUCTION = f"""# OSC messages

*This page is made from `bridge/routes.py` by `python -m bridge.routes > docs/osc.md`.*

`athanor up` (or `athanor bridge`) listens on UDP port {DEFAULT_PORT} of 127.0.0.1. A patch sends requests there; answers go
back to the port that the request came from, or to the `reply_port` of `hello`. Several clients can be connected at once.
The same requests by OSC over TCP, by HTTP and through files: [http.md](http.md).

- **Files** are names relative to one folder, the import root (`~/Music/Athanor` unless `--root` or `ATHANOR_ROOT` says
  otherwise; `hello` answers with it). A name that leads out of it is refused, except an absolute one in a folder that the
  person has allowed by `athanor folders allow`. Results appear in its folder `results`.
- **Types** sent are only `i`, `f` and `s`, at most 1024 bytes in a message. Ids are texts. Any of the three is accepted
  where it reads as what is asked for (Pure Data has floats only). A position in samples that matters is also sent as
  decimal text, because a float counts exactly only to 16777216 (5 min 49 s at 48 kHz).
- **Options** follow the fixed arguments, Max-style: `@name value`. Several values are joined: `@snr_db -12 -6`; where each
  is a text of its own, quote it: `@stem cello "dog barking"`. Stretches of time are texts: `@select 1.0:2.5`. Yes and no
  are 1 and 0; an empty text means "not set". An option that does not exist is refused, and the nearest one named.
- **Clips of a timeline** are selected by `{CLIP_ADD.address}`, as they sound there: part of a file, played at a rate. A
  render that names no clip takes the selected ones, in the order of its inputs, and `{_PRESET.address}` renders them by a
  preset's name. Tempo, metre and key of a request are kept in the placement record; a beat is a quarter note.
- **Every request is answered exactly once**, by `{OK}` or `{ERROR}`, with your request id first and the
  address second. Sending the same request again is safe: it gets the same answer and nothing is rendered twice. An
  id is in use until the end of its job is acknowledged. Unique ones are a counter behind the `session` that `hello` gives.
- **The end of a job** (`done`, `failed`, `cancelled`) is repeated, ever more slowly and at most six times, until
  `{ACK.address}` says that it was seen. After a restart, `hello`, `job/status` or `job/list` bring it back.
- Jobs survive a crash of the bridge or the server and go on when it runs again.

A whole exchange:

```
-> {PREFIX}/hello max 7400 "my patch" {PROFILE}
<- {OK} max {PREFIX}/hello {PROFILE} 0.1.0 /Users/me/Music/Athanor s3f2a1b9c
-> {PREFIX}/render/fuse req1 original.wav reference.wav @prompt "glass bells" @snr_db -9 @chain space @start 480000
<- {OK} req1 {PREFIX}/render/fuse 4f0c1e...
<- {PROGRESS} req1 4f0c1e... sampling 12 50 0.24 7.5
<- {DONE} req1 4f0c1e... 1 1 fused results/bell.wav results/bell.json 480000 10.0 480000 48000 requested 240000 48000 2
-> {ACK.address} req2 req1
<- {OK} req2 {ACK.address} 4f0c1e...
```

In Max, `[udpsend 127.0.0.1 {DEFAULT_PORT}]` sends a message box with the request above as it stands, and
`[udpreceive 7400]` receives what `hello` asked for; `[route {OK} {DONE}]` sorts it. For Pure Data there is
`bridge/hosts/pd/athanor.pd`. In a terminal:

```
oscdump 7400 &
oscsend 127.0.0.1 {DEFAULT_PORT} {PREFIX}/hello sisi term 7400 terminal {PROFILE}
oscsend 127.0.0.1 {DEFAULT_PORT} {PREFIX}/render/fuse sssssss req1 a.wav b.wav @prompt "glass bells" @client term
```
"""


def markdown() -> str:
    """The reference page."""
    parts = [_INTRODUCTION, "## What you send\n"]
    parts += [_route_page(route) for route in ROUTES.values()]
    parts += [f"Every request also takes `@client`: {CLIENT.meaning}.\n", "## What you receive\n"]
    parts += [_event_page(event) for event in EVENTS]
    return "\n".join(parts)


def _route_page(route: Route) -> str:
    lines = [f"### `{route.address}`\n", f"{route.help}\n", *_table(route.arguments)]
    if route.reply:
        lines += [f"`ok` adds: {', '.join(f'`{a.type}:{a.name}` {a.meaning}' for a in route.reply)}.\n"]
    listed = [option for option in route.options if option.listed]
    if listed:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [f"| `@{option.name}` | {_cell(option.meaning)} |" for option in listed] + [""]
    return "\n".join(lines)


def _event_page(event: Event) -> str:
    return "\n".join([f"### `{event.address}`\n", f"{event.help}\n", *_table(event.arguments)])


def _table(arguments: tuple[Argument, ...]) -> list[str]:
    rows = [f"| {number} | `{a.type}:{a.name}`{'' if a.required else ' (optional)'} | {_cell(a.meaning)} |"
            for number, a in enumerate(arguments, 1)]
    return ["| # | argument | meaning |", "|---|---|---|", *rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(markdown(), end="")
