# SPDX-License-Identifier: GPL-3.0-or-later
"""`docs/http.md`, made from the table of routes: `python -m bridge.http.page > docs/http.md`."""

from __future__ import annotations

from bridge.connection import DEFAULT_HTTP_PORT
from bridge.http.calls import event_name
from bridge.http.files import CLIPS_FOLDER, MAX_BYTES
from bridge.packets import Message
from bridge.routes import DEFAULT_PORT, ERROR, EVENTS, OK, PREFIX, ROUTES, Argument, Route

_TYPES = {"s": "text", "i": "whole number", "f": "number"}

_INTRODUCTION = f"""# HTTP, TCP and spool folders

*This page is made from `bridge/routes.py` by `python -m bridge.http.page > docs/http.md`.*

The requests of [osc.md](osc.md) can also be made by HTTP, by OSC over TCP and through files. They do the same and are
answered with the same values; what each request and value means is told there. All of it is for programs of this machine.

## HTTP

`athanor up` (or `athanor bridge`) listens on TCP port {DEFAULT_HTTP_PORT} of 127.0.0.1, or on another one if that is in
use. The file `bridge/connection.json` in Athanor's data folder, which only you can read, says where:

```
{{"osc_port": {DEFAULT_PORT}, "http_port": {DEFAULT_HTTP_PORT}, "token": "...", "root": "/Users/me/Music/Athanor"}}
```

Port and token stay the same over a restart. Everything but OSCQuery needs the header `Authorization: Bearer <token>`. A
request whose `Host` is not this server, or whose `Origin` is a page of another one, is refused.

- **Requests** are `POST` with a JSON object: the arguments by their names, and `options`, an object with what OSC writes as
  `@name value`. A list stands for several values of an option, true and false for 1 and 0. `options` may name the `client`
  that asks, once it has said hello.
- **Answers** are JSON: `{{"ok": true, "request": ...}}` with what the request's entry below says, or `{{"ok": false,
  "request": ..., "code": ..., "message": ...}}` with status 400 (something is wrong with it), 403 (not allowed), 404 (no
  such address, job or file), 408 (too slow), 409 (not now), 413 (too large), 429 (too many), 500 (a fault of Athanor's),
  503 (the server is away or busy) or 507 (no room). Lines of a list, and the end of a job that has ended, are in
  the answer's `events`.
- **Events**: `GET {PREFIX}/events?client=NAME` is a stream of server-sent events for that client. Opening it is a hello, so
  ends that were not acknowledged come first.
- **Files**: `GET {PREFIX}/files/NAME` gives a file under the import root, or a range of it. `PUT` writes one, whole or
  not at all, of at most {MAX_BYTES // 2**20} MiB; only files in `{CLIPS_FOLDER}/` are written over, and `results/` is
  Athanor's.
- **OSCQuery**: `GET /`, or any OSC address, describes it and what is under it; `?HOST_INFO` tells OSC's port.

A whole exchange:

```
A="Authorization: Bearer ..."; U=http://127.0.0.1:{DEFAULT_HTTP_PORT}{PREFIX}
post() {{ curl -H "$A" -H "Content-Type: application/json" "$U/$1" -d "$2"; }}
post hello '{{"client": "shell"}}'
curl -N -H "$A" "$U/events?client=shell" &
curl -H "$A" -T a.wav "$U/files/{CLIPS_FOLDER}/a.wav"
post render/vary '{{"request": "r1", "clip": "{CLIPS_FOLDER}/a.wav", "options": {{"client": "shell"}}}}'
post job/ack '{{"request": "r2", "job": "r1", "options": {{"client": "shell"}}}}'
```

## OSC over TCP

TCP port {DEFAULT_PORT} takes the messages of UDP, in either framing: SLIP (OSC 1.1) or a length before each packet (OSC
1.0); the first byte shows which. Answers come in the same connection, nothing is lost, and a packet may have 65536 bytes.
After a connection has ended, say hello in the next one.

## Spool folders

For a host that can run scripts and read files, but not listen. Under the import root:

- Write `spool/CLIENT/in/ANY.msg`: under another name first, then rename it. Files are taken in the order of their names and
  deleted when they have been answered. CLIENT is a name of letters, digits, `-`, `_` and `.`.
- Read `spool/CLIENT/out/NNNNNN.msg` in the order of their names, and delete each. What a closed host has not read waits
  there. Of a job's progress only the newest lies there, renewed once a second.
- A message is one line of UTF-8: the address, then the values, separated by tabs. In a value a tab is `\\t`, a line's end
  `\\n` and a backslash `\\\\`. Values are texts; options are `@name` and their values, as by OSC.
- A hello here makes the spool the client's outlet. A hello by OSC does with `@via spool`; with `@wake "PORT /address
  arguments"`, that OSC message is sent to that port of this machine after something was written. For Ardour:
  `@wake "3819 /access_action LuaAction/script-2"`.
"""


def markdown() -> str:
    """The page."""
    requests = [_request(route) for route in ROUTES.values()]
    events = [f"| `{event_name(Message(event.address))}` | {_names(event.arguments)} |" for event in EVENTS
              if event.address not in (OK, ERROR)]
    return "\n".join([_INTRODUCTION, "## Requests by HTTP and spool\n", *requests, "## Events by HTTP\n",
                      "| event | its data, beside `event` |", "|---|---|", *events, ""])


def _request(route: Route) -> str:
    body = ", ".join(f'"{argument.name}": {_TYPES[argument.type]}' for argument in route.arguments)
    optional = [argument.name for argument in route.arguments if not argument.required]
    reply = ", ".join(f'"{argument.name}": {_TYPES[argument.type]}' for argument in route.reply)
    may_miss = f" ({', '.join(optional)} may be left out)" if optional else ""
    line = " TAB ".join([route.address, *(argument.name.upper() for argument in route.arguments)])
    return (f"### `POST {route.address}`\n\n- body: `{{{body}, \"options\": {{...}}}}`{may_miss}\n"
            f"- answer: `{{\"ok\": true, \"request\": text, {reply}}}`\n- spool: `{line} TAB @option TAB value ...`\n")


def _names(arguments: tuple[Argument, ...]) -> str:
    return ", ".join(f"`{argument.name}`" for argument in arguments)


if __name__ == "__main__":
    print(markdown(), end="")
