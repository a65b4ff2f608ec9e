# SPDX-License-Identifier: GPL-3.0-or-later
"""The front end: one process, one loop, no torch. Owns the sockets and puts ledger, queue and executor together."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import zmq
import zmq.asyncio

from server import pairing, protocol
from server.admission import Admission
from server.allowed_keys import AllowedKeys
from server.auth import CLIENTS, Connection, Doorkeeper, KeyPair, check_bind, guard, keep_alive
from server.blobs import BlobStore
from server.database import Database
from server.errors import AthanorError, JobFailed, RequestRefused, StorageError
from server.events import Events
from server.executors.local import LocalExecutor
from server.handlers import Handlers
from server.lan import ANY_ADDRESS, LOOPBACK, Lan, remembered
from server.ledger import Ledger
from server.lock import FolderLock
from server.palette import Palette
from server.reconcile import reconcile
from server.scheduling import Scheduler
from server.settings import Settings
from server.telemetry import Counters, open_log

_HOUSEKEEPING_S = 30.0
_REPLY_PATIENCE_S = 2.0
_WORKER_GRACE_S = 4.0
_TERM_S = 5.0


@dataclass(frozen=True)
class Store:
    """What lies in the data folder, opened and in agreement with itself."""

    lock: FolderLock
    database: Database
    ledger: Ledger
    blobs: BlobStore
    palette: Palette

    def close(self) -> None:
        """Close everything and let go of the folder."""
        self.blobs.close()
        self.database.close()
        self.lock.release()


def open_store(settings: Settings) -> tuple[Store, dict[str, int]]:
    """Lock and open the data folder and put right what a crash left; returns it and what was put right.

    Raises:
        RequestRefused: another server has it.
        StorageError: it cannot be written, or the ledger is damaged or newer.
    """
    paths = settings.paths
    try:
        paths.blobs.mkdir(parents=True, exist_ok=True)
        if sys.platform != "win32":
            paths.server.chmod(0o700)
        lock = FolderLock(paths.lock)
        palette = Palette(paths.palette)
    except OSError as error:
        raise StorageError(f"the data folder {settings.home} cannot be written ({error.strerror}: {error.filename}). "
                           "Make it writable for this user, or choose another with --home.", code="storage_unwritable",
                           retryable=False) from None
    try:
        database = Database(paths.ledger)
        ledger = Ledger(database)
        blobs = BlobStore(paths.blobs, database, settings)
        return Store(lock, database, ledger, blobs, palette), reconcile(ledger, blobs, palette)
    except OSError as error:
        raise StorageError(f"the data folder {settings.home} cannot be written ({error.strerror}: {error.filename}).",
                           code="storage_unwritable", retryable=False) from None


class Frontend:
    """A server on one data folder. Everything that can refuse to start does so in `__init__`, inside a running loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._machines = AllowedKeys(settings.paths.allowed_keys)
        is_open = check_bind(settings.bind, settings.lan or bool(self._machines.names()), settings.paths.allowed_keys)
        self._store, put_right = open_store(settings)
        self._lan = remembered(settings.paths.lan, settings.port) if is_open else None
        self._log = open_log(server_pid=os.getpid())
        self._log.info("store opened", home=str(settings.home), **put_right)
        self._counters = Counters()
        self._instance = uuid.uuid4().hex
        self._stop = asyncio.Event()
        self._signals = 0
        self._in_flight: Counter[bytes] = Counter()
        self._replying: set[asyncio.Task[None]] = set()
        self._open_sockets()
        self._assemble()

    def _open_sockets(self) -> None:
        self._context = zmq.asyncio.Context()
        self._doorkeeper = Doorkeeper(self._context, self._counters, self._machines)
        self._keys = self._lan.keys if self._lan else KeyPair.new()
        self._requests = self._socket(zmq.ROUTER)
        self._requests.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._requests.setsockopt(zmq.MAXMSGSIZE, protocol.MAX_FRAME_BYTES)
        self._requests.sndhwm = 16
        self._requests.rcvhwm = 64
        self._events_socket = self._socket(zmq.XPUB)
        self._events_socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._events_socket.setsockopt(zmq.XPUB_WELCOME_MSG, protocol.WELCOME)
        self._requests_endpoint = self._bind(self._requests, self._lan.port if self._lan else self._settings.port)
        self._events_endpoint = self._bind(self._events_socket, self._lan.events_port if self._lan else 0)

    def _socket(self, kind: int) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        guard(socket, self._keys, CLIENTS)
        keep_alive(socket)
        socket.linger = 500
        return socket

    def _bind(self, socket: zmq.asyncio.Socket, port: int) -> str:
        host = f"[{self._settings.bind}]" if ":" in self._settings.bind else self._settings.bind
        socket.ipv6 = ":" in self._settings.bind
        try:
            socket.bind(f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            if error.errno == errno.EADDRINUSE:
                raise RequestRefused(f"port {port} on {self._settings.bind} is in use by another program. Choose "
                                     "another with --port, or leave it out for any free one.", code="port_in_use",
                                     retryable=False) from None
            raise RequestRefused(f"cannot listen on {self._settings.bind}:{port} ({error.strerror}).", code="port_in_use",
                                 retryable=False) from None
        return socket.last_endpoint.decode().replace(ANY_ADDRESS, LOOPBACK)  # what programs on this machine connect to

    def _assemble(self) -> None:
        settings, store, counters = self._settings, self._store, self._counters
        self._executor = LocalExecutor(settings, self._context, self._doorkeeper, store.ledger.generation, counters,
                                       self._log)
        events = Events(store.ledger, self._events_socket, settings, counters, self._instance)
        self._events = events
        self._scheduler = Scheduler(settings, store.ledger, store.blobs, store.palette, self._executor, events, counters,
                                    self._log)
        admission = Admission(settings, store.ledger, store.blobs, store.palette, self._executor,
                              lambda: self._scheduler.is_draining or self._stop.is_set())
        self._handlers = Handlers(settings, store.ledger, store.blobs, store.palette, self._executor, events,
                                  self._scheduler, admission, counters, self._instance, self._stop.set)

    async def run(self) -> None:
        """Serve until told to stop, by wire or signal; then end cleanly."""
        self._admit_clients()
        await self._executor.start()
        scheduling = asyncio.create_task(self._scheduler.run(), name="scheduler")
        serving = [asyncio.create_task(work, name=name) for name, work in self._services().items()]
        self._catch_signals()
        self._connection.write(self._settings.paths.connection)
        self._log.info("server ready", instance=self._instance, requests=self._requests_endpoint)
        stopping = asyncio.create_task(self._stop.wait())
        going: set[asyncio.Task[Any]] = {stopping, scheduling, *serving}
        try:
            while not stopping.done():
                ended, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()  # a drained scheduler ends quietly; anything else that ends has failed
        finally:
            stopping.cancel()
            await self._shut_down(scheduling, serving)

    def _services(self) -> dict[str, Coroutine[Any, Any, None]]:
        services = {"requests": self._receive(), "subscribers": self._events.serve_subscribers(),
                    "pulse": self._events.pulse(), "housekeeping": self._keep_house()}
        return services | ({"pairing": self._invite(self._lan)} if self._lan and self._settings.lan else {})

    async def _invite(self, lan: Lan) -> None:
        """Let one more machine in, then rest until the end."""
        await pairing.invite(self._context, self._doorkeeper, self._machines, lan, self._settings.bind)
        await asyncio.Event().wait()

    def _admit_clients(self) -> None:
        own = KeyPair.new()
        self._doorkeeper.allow(CLIENTS, own.public)
        self._doorkeeper.start()
        self._connection = Connection(self._instance, os.getpid(), self._requests_endpoint, self._events_endpoint,
                                      self._keys.public, own.public, own.secret)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            if sys.platform == "win32":
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._on_signal))
            else:
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        """The first asks; the second ends at once, which the ledger makes safe."""
        self._signals += 1
        if self._signals > 1:
            self._settings.paths.connection.unlink(missing_ok=True)
            os._exit(1)
        self._stop.set()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            try:
                self._store.blobs.abandon_idle()
                self._scheduler.expire()
            except StorageError as error:
                self._log.error("housekeeping failed", error=error.message)

    async def _receive(self) -> None:
        while True:
            received = await self._requests.recv_multipart(copy=False)
            peer, *frames = (frame.bytes for frame in received)
            if self._lan and not self._doorkeeper.knows(CLIENTS, received[-1].get("User-Id")):  # revoked since it came in
                self._counters.add("keys_refused")
                await self._refuse(peer, frames, RequestRefused("this machine is not paired with the server any more.",
                                                                code="not_paired", retryable=False))
                continue
            if self._in_flight[peer] >= self._settings.in_flight_per_peer:
                self._counters.add("refused_busy_peer")
                await self._refuse(peer, frames, RequestRefused("too many requests at once from one connection."))
                continue
            self._in_flight[peer] += 1
            task = asyncio.create_task(self._serve(peer, frames))
            self._replying.add(task)
            task.add_done_callback(self._replying.discard)
            await asyncio.sleep(0)  # receiving what has already come does not yield: a flood must not starve the rest

    async def _refuse(self, peer: bytes, frames: list[bytes], error: AthanorError) -> None:
        """Answer without looking closer, if the sender can be answered at once."""
        if len(frames) > 1 and len(frames[1]) == protocol.REQUEST_ID_BYTES:
            with contextlib.suppress(zmq.ZMQError):
                await self._requests.send_multipart([peer, *protocol.encode_error(frames[1], error)], flags=zmq.DONTWAIT)

    async def _serve(self, peer: bytes, frames: list[bytes]) -> None:
        """Parse, carry out, reply. Nothing that a client sends ends the server."""
        try:
            reply = await self._answer(frames)
            if reply is not None:
                await self._reply([peer, *reply])
        finally:
            self._in_flight[peer] -= 1
            if not self._in_flight[peer]:
                del self._in_flight[peer]

    async def _answer(self, frames: list[bytes]) -> list[bytes] | None:
        try:
            request = protocol.parse(frames)
        except protocol.Malformed as error:
            self._counters.add(f"protocol_{error.code}")
            return None if error.request_id is None else protocol.encode_error(error.request_id, error)
        try:
            fields, binary = await self._handlers.handle(request)
            return protocol.encode_reply(request.request_id, fields, binary)
        except AthanorError as error:
            self._counters.add(f"refused_{error.code}")
            return protocol.encode_error(request.request_id, error)
        except Exception:  # a fault of ours must cost one reply, not the server
            self._counters.add("internal_errors")
            self._log.exception("request failed", type=request.type)
            return protocol.encode_error(request.request_id, JobFailed(
                f"the server failed at {request.type}; its log says why. This is a fault of Athanor's, please report it."))

    async def _reply(self, frames: list[bytes]) -> None:
        """Send, waiting a little for a slow reader; then drop: the client asks again."""
        deadline = asyncio.get_running_loop().time() + _REPLY_PATIENCE_S
        while True:
            try:
                await self._requests.send_multipart(frames, flags=zmq.DONTWAIT, copy=False)
                return
            except zmq.Again:
                if asyncio.get_running_loop().time() > deadline:
                    self._counters.add("replies_dropped")
                    return
                await asyncio.sleep(0.02)
            except zmq.ZMQError:  # the peer has gone
                self._counters.add("replies_unroutable")
                return

    async def _shut_down(self, scheduling: asyncio.Task[None], serving: list[asyncio.Task[None]]) -> None:
        """Finish or put back the running job, end the worker, say goodbye, close everything, in that order."""
        self._log.info("draining")
        await self._scheduler.drain(self._settings.drain_s)
        scheduling.cancel()
        await asyncio.wait({scheduling})
        await self._executor.stop(_WORKER_GRACE_S)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, *self._replying, return_exceptions=True)
        self._doorkeeper.stop()
        self._requests.close()
        self._events_socket.close()
        try:
            await asyncio.wait_for(asyncio.to_thread(self._context.term), _TERM_S)
        except TimeoutError:
            self._log.error("a socket was left open")
        self._settings.paths.connection.unlink(missing_ok=True)
        self._store.close()
        self._log.info("server ended")

