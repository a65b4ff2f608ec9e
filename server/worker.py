# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: `python -m server.worker`. Its main thread runs jobs, one at a time; `worker_link` talks in a second thread.

It may be killed at any moment: whatever it has not yet handed over is worth nothing, and nothing else is lost. A device
error that is not a lack of memory leaves the process unusable for good, so it ends itself and a new one is started.
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from server import link, methods
from server.audio import read_clip, wav_bytes
from server.blobs import write_durable
from server.errors import AthanorError, JobCancelled, JobFailed, ModelUnavailable, OutOfMemory, StorageError
from server.kinds import find_kind
from server.methods.cache import Cache
from server.methods.context import Context, Output, Progress
from server.protocol import canonical_json
from server.supervisor import DEVICE_FAULT
from server.worker_link import Line

if TYPE_CHECKING:
    from server.models.base import Backbone
    from server.models.pool import ModelPool

# On a machine that also runs a DAW, OpenMP threads that spin while they wait starve each other: a small network's
# forward pass was measured at 0.48 s instead of 0.03 s on two busy cores. Read by torch when it is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MAX_PROVENANCE_BYTES = 512 * 1024
_IDLE_BEFORE_WARMING_S = 1.0
_LOOK_S = 60.0
_RENDER_PACKAGES = frozenset({"torch", "diffusers", "transformers", "accelerate", "peft", "safetensors"})


class Worker:
    """Runs the attempts that come over `line`."""

    def __init__(self, bootstrap: link.Bootstrap, line: Line) -> None:
        self._bootstrap, self._line = bootstrap, line
        self._pool: ModelPool | None = None
        self._cache = Cache()

    def serve(self) -> None:
        """Until told to stop."""
        wanted = [link.Model(action="pin", name=name) for name in self._bootstrap.pins]
        if self._bootstrap.warm:  # what most jobs will ask for
            wanted.insert(0, link.Model(action="load", name="embedded"))
        while True:
            match self._line.next_order(_IDLE_BEFORE_WARMING_S if wanted else self._rest_s()):
                case link.Run() as run:
                    self._attempt(run)
                case link.Model() as order:
                    # What was wanted at the start may no longer be.
                    wanted = [one for one in wanted if (f"un{one.action}", one.name) != (order.action, order.name)]
                    self._line.modelled(order, self._model(order))
                case None if wanted:
                    self._warm(wanted.pop(0))
                case None:
                    self._free(self._bootstrap.idle_unload_s)
                case _:
                    return

    def _rest_s(self) -> float | None:
        """How long to wait for an order before models that have not been used for long are looked for."""
        limit_s = self._bootstrap.idle_unload_s
        return min(limit_s, _LOOK_S) if limit_s and self._pool and self._pool.resident() else None

    def _warm(self, order: link.Model) -> None:
        """Load a model that is wanted from the start. Failing is no failure: a job that needs it will say why."""
        if error := self._model(order):
            print(f"{order.name} not loaded: {error}", file=sys.stderr, flush=True)

    def _model(self, order: link.Model) -> AthanorError | None:
        """Carry out an order about a model; what went wrong, if anything. It must not end the worker."""
        try:
            pool = self._models()
            if order.action == "load":
                with pool.use(order.name):
                    pass
            else:
                getattr(pool, order.action)(order.name)
        except AthanorError as error:
            return error
        except Exception as error:
            traceback.print_exc()
            return _explain(error)
        finally:
            self._tell_models()
        return None

    def _free(self, idle_s: float = 0.0) -> list[str]:
        """Give back the memory of models that nothing uses, and what earlier jobs left; the names of those models.

        What goes wrong ends nothing.
        """
        freed, is_held = [], False
        try:
            freed = self._pool.unload_unused(idle_s) if self._pool else []
        except Exception:
            traceback.print_exc()
            is_held = True  # one was taken out, which something still holds
        if freed or is_held or not idle_s:
            self._cache.clear()
        if freed or is_held:
            print(f"unloaded: {', '.join(freed) or 'one that something still holds'}", file=sys.stderr, flush=True)
            self._tell_models()
        return freed

    def _models(self) -> ModelPool:
        """The pool, made at the first call, which imports torch."""
        from server.models.pool import ModelPool

        if self._pool is None:
            self._pool = ModelPool(home=Path(self._bootstrap.home))
        return self._pool

    def _hold(self, name: str, held: ExitStack) -> Backbone:
        """The backbone of that name, in use until `held` is closed."""
        backbone = held.enter_context(self._models().use(name))
        self._tell_models(str(backbone.device))
        return backbone

    def _tell_models(self, device: str | None = None) -> None:
        models = self._pool.resident() if self._pool else []
        self._line.tell_models([link.Loaded(name=model.name, device=model.device, bytes=model.n_bytes, pinned=model.pinned)
                                for model in models], device or next((model.device for model in models), None))

    def _attempt(self, run: link.Run) -> None:
        """Run one attempt and say how it ended."""
        who = {"incarnation": self._bootstrap.incarnation, "job_id": run.job_id, "attempt": run.attempt}
        self._line.begin(run.job_id, run.attempt)
        try:
            ending: link.OfAttempt = link.Done(**who, products=self._perform(run))
        except JobCancelled:
            ending = link.Stopped(**who)
        except AthanorError as error:
            ending = link.Failed(**who, **error.to_wire())
        except Exception as error:  # a job must never take the worker down by merely being wrong
            ending = link.Failed(**who, **_explain(error).to_wire(), detail=traceback.format_exc()[-8000:])
            traceback.print_exc()
            if _is_device_fault(error):
                sys.stderr.flush()
                os._exit(DEVICE_FAULT)
        self._line.end(ending)

    def _perform(self, run: link.Run) -> list[link.Product]:
        kind = find_kind(run.kind)
        options = kind.parse(run.options, frozenset(run.inputs))
        audio = {role: path for role, path in run.inputs.items() if kind.input(role).is_audio}
        clips = {role: read_clip(path, limit_s=kind.max_input_s, name=role) for role, path in audio.items()}
        files = {role: Path(path) for role, path in run.inputs.items() if role not in audio}
        with ExitStack() as held:

            def backbone(name: str) -> Backbone:
                self._line.on_step(Progress(0, 1, "loading"))
                return self._hold(name, held)

            context = Context(
                job_id=run.job_id, digests=run.digests, palette_dir=Path(self._bootstrap.palette), attempt=run.attempt,
                backbone=backbone, on_step=self._line.on_step, files=files, cache=self._cache,
                free_memory=self._free)
            outputs = methods.run(kind.name, clips, options, context)
        self._line.on_step(Progress(0, len(outputs), "storing"))
        return self._store(run, outputs)

    def _store(self, run: link.Run, outputs: Sequence[Output]) -> list[link.Product]:
        """Write results into the incoming folder, durable, each under a name that belongs to this attempt alone."""
        said = sum(len(canonical_json(dict(output.provenance))) for output in outputs)
        if said > MAX_PROVENANCE_BYTES:
            raise JobFailed(f"the provenance of the results has {said} bytes; at most {MAX_PROVENANCE_BYTES} are kept.")
        products = []
        for number, output in enumerate(outputs):
            data = output.data if output.clip is None else wav_bytes(output.clip)
            assert data is not None, "an output is a clip or data"
            name = f"{self._bootstrap.incarnation}-{run.job_id}-{run.attempt}-{number}"
            file = Path(self._bootstrap.incoming) / name
            try:
                write_durable(file, data)
            except OSError as error:
                raise StorageError(f"the result {output.name} could not be stored ({error.strerror}). Free some space and "
                                   "submit the job again.") from None
            products.append(link.Product(
                role=output.role, name=output.name, file=str(file), digest=hashlib.sha256(data).hexdigest(),
                bytes=len(data), media=output.media, provenance=dict(output.provenance)))
        return products


def _explain(error: Exception) -> AthanorError:
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in _RENDER_PACKAGES:
        return ModelUnavailable(f"{error.name} is not installed where the server runs. Install what renders with: "
                                "pip install 'athanor-audio[render]'")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return OutOfMemory(f"the render does not fit into memory ({str(error)[:200]}). Use a shorter clip, fewer "
                           "variations or a smaller backbone.")
    return JobFailed(f"the method failed unexpectedly: {type(error).__name__}: {str(error)[:500]}. This is a fault of "
                     "Athanor's; please report it with the job's detail.")


def _is_device_fault(error: Exception) -> bool:
    """A CUDA error other than a lack of memory poisons the process's context."""
    if type(error).__name__ == "OutOfMemoryError":
        return False
    return type(error).__name__ == "AcceleratorError" or (isinstance(error, RuntimeError) and "CUDA error" in str(error))


def _read_bootstrap() -> link.Bootstrap:
    """The first line on stdin; read byte by byte, so that the rest of the pipe stays for `_die_with_parent`."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit("the worker is started by the server; it does nothing by itself. Use `athanor serve`.")
        line += byte
    return link.Bootstrap.model_validate_json(bytes(line))


def _die_with_parent(parent_pid: int) -> None:
    """End with the front end, whatever ended it: the kernel's signal on Linux, the end of the stdin pipe everywhere."""
    if sys.platform == "linux":
        import ctypes
        import signal

        set_parent_death_signal = 1
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(0)

    def await_end() -> None:
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=await_end, name="parent watch", daemon=True).start()


def main() -> None:
    """Entry point."""
    faulthandler.enable()
    bootstrap = _read_bootstrap()
    _die_with_parent(bootstrap.parent_pid)
    line = Line(bootstrap)
    line.start()
    Worker(bootstrap, line).serve()
    line.close()


if __name__ == "__main__":
    main()
