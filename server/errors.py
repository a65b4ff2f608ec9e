# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error a person can meet, as one tree.

    AthanorError                  code, message, retryable
    ├── InvalidInput              a clip, file or path that cannot be used
    ├── InvalidOption             an option that does not exist or is out of range
    ├── ProtocolError             the peer sent something that is not a message
    ├── RequestRefused            valid, but not now or not for you (carries its own code)
    ├── ServerUnreachable         no server answers
    ├── StorageError              ledger, blobs or a folder cannot be written or read
    ├── JobFailed                 the job ended without a result
    │   ├── ModelUnavailable      the backbone is not here, or cannot be loaded
    │   ├── OutOfMemory           the render does not fit the device
    │   ├── Deadline              the job ran longer than its kind allows
    │   ├── WorkerLost            the worker crashed or stalled
    │   └── PrerequisiteFailed    another job that this one needed did not succeed
    ├── JobCancelled              somebody asked for it
    └── PluginFailed              a plugin crashed, refused the clip or could not be loaded
        └── PluginTimeout         a plugin ran past its time limit

A message says what was given, what is allowed and what to do next. It is shown as it is in the terminal, in an OSC
reply and in the job's record, so it never needs the traceback to be understood.
"""

from __future__ import annotations

from typing import Any


class AthanorError(Exception):
    """Base of every expected error.

    Args:
        message: one or two sentences: what was given, what is allowed, what to do.
        code: stable identifier for programs; the class default when omitted.
        retryable: whether the same request may succeed later without a change.
    """

    code = "internal"
    retryable = False

    def __init__(self, message: str, *, code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.retryable = type(self).retryable if retryable is None else retryable

    def to_wire(self) -> dict[str, Any]:
        """The error as three JSON fields: code, message, retryable."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable}


class InvalidInput(AthanorError):
    code = "invalid_input"


class InvalidOption(AthanorError):
    code = "invalid_params"


class ProtocolError(AthanorError):
    code = "malformed"


class RequestRefused(AthanorError):
    code = "busy"
    retryable = True


class ServerUnreachable(AthanorError):
    code = "server_unreachable"
    retryable = True


class StorageError(AthanorError):
    code = "storage_full"
    retryable = True


class JobFailed(AthanorError):
    code = "internal"


class ModelUnavailable(JobFailed):
    code = "model_unavailable"


class OutOfMemory(JobFailed):
    code = "out_of_memory"
    retryable = True


class Deadline(JobFailed):
    code = "deadline"


class WorkerLost(JobFailed):
    code = "worker_crashed"
    retryable = True


class PrerequisiteFailed(JobFailed):
    code = "prerequisite_failed"


class JobCancelled(AthanorError):
    code = "cancelled"


class PluginFailed(AthanorError):
    code = "plugin_failed"


class PluginTimeout(PluginFailed):
    code = "plugin_timeout"


_BY_CODE: dict[str, type[AthanorError]] = {
    cls.code: cls
    for cls in (InvalidInput, InvalidOption, ProtocolError, RequestRefused, ServerUnreachable, StorageError,
                ModelUnavailable, OutOfMemory, Deadline, WorkerLost, PrerequisiteFailed, JobCancelled, PluginFailed,
                PluginTimeout)
} | {"internal": JobFailed, "result_lost": JobFailed, "worker_stalled": WorkerLost, "too_large": ProtocolError,
     "unknown_type": ProtocolError, "unsupported_version": ProtocolError}


def from_wire(fields: dict[str, Any]) -> AthanorError:
    """The error that `to_wire` described; codes without a class of their own come back as `RequestRefused`."""
    cls = _BY_CODE.get(fields["code"], RequestRefused)
    return cls(fields["message"], code=fields["code"], retryable=bool(fields.get("retryable", False)))
