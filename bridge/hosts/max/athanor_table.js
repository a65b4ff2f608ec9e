// SPDX-License-Identifier: MIT
// Made from bridge/routes.py by `python -m bridge.adapters.max_patches`; not to be edited.
exports.port = 9101;
exports.prefix = "/athanor/v1";
exports.replies = {
  "hello": [
    "profile",
    "version",
    "root",
    "session"
  ],
  "ping": [
    "profile",
    "version"
  ],
  "clip/add": [
    "place",
    "length_samples",
    "sample_rate",
    "channels"
  ],
  "clip/clear": [
    "count"
  ],
  "clip/list": [
    "count"
  ],
  "render/fuse": [
    "job"
  ],
  "render/learn": [
    "job"
  ],
  "render/generate": [
    "job"
  ],
  "render/separate": [
    "job"
  ],
  "render/edit": [
    "job"
  ],
  "render/restore": [
    "job"
  ],
  "render/vary": [
    "job"
  ],
  "preset": [
    "job"
  ],
  "preset/list": [
    "count"
  ],
  "job/cancel": [
    "job"
  ],
  "job/status": [
    "job",
    "of_request",
    "kind",
    "stage",
    "phase",
    "step",
    "steps"
  ],
  "job/list": [
    "count"
  ],
  "job/ack": [
    "job"
  ],
  "job/placed": [
    "job"
  ],
  "again": [
    "job"
  ],
  "history": [
    "count"
  ],
  "history/place": [
    "job"
  ]
};
exports.events = {
  "ok": [
    "request",
    "address",
    "..."
  ],
  "error": [
    "request",
    "address",
    "code",
    "message"
  ],
  "progress": [
    "request",
    "job",
    "phase",
    "step",
    "steps",
    "fraction",
    "eta_s"
  ],
  "done": [
    "request",
    "job",
    "index",
    "count",
    "role",
    "file",
    "record",
    "start_samples",
    "start_seconds",
    "start_exact",
    "start_rate",
    "start_source",
    "length_samples",
    "sample_rate",
    "channels"
  ],
  "failed": [
    "request",
    "job",
    "code",
    "retryable",
    "message"
  ],
  "cancelled": [
    "request",
    "job"
  ],
  "job": [
    "request",
    "index",
    "count",
    "job",
    "of_request",
    "kind",
    "stage",
    "phase",
    "step",
    "steps"
  ],
  "clip/entry": [
    "request",
    "index",
    "count",
    "role",
    "track",
    "offset_exact",
    "length_samples",
    "sample_rate",
    "channels",
    "file"
  ],
  "preset/entry": [
    "request",
    "index",
    "count",
    "name",
    "kind",
    "title",
    "description"
  ],
  "history/entry": [
    "request",
    "index",
    "count",
    "job",
    "kind",
    "role",
    "created",
    "file",
    "name",
    "where"
  ]
};
exports.kinds = {
  "fuse": [
    "original",
    "reference"
  ],
  "learn": [
    "clip"
  ],
  "generate": [],
  "separate": [
    "mixture"
  ],
  "edit": [
    "clip"
  ],
  "restore": [
    "clip"
  ],
  "vary": [
    "clip"
  ]
};
