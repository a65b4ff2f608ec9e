// SPDX-License-Identifier: MIT
// Athanor's side of the conversation, for scripts in Max and in Max for Live: asks, remembers what was asked, and gathers
// the results of each job. ES5, because Max 8's [js] knows no more. It touches neither Max nor Live; `hooks` does.

var table = require("athanor_table.js");

// hooks: send(address, values), state(name, text), progress(fraction, text), presets(entries), ready(),
// results(job, entries, context, finish): finish(where) once they lie in their places, finish(null) if they could not.
function Link(client, title, hooks) {
   this.client = client;
   this.title = title;
   this.hooks = hooks;
   this.root = "";
   this.port = 0;
   this.waiting = {}; // request id -> what follows its ok
   this.jobs = {}; // request id of a render -> {label, context, parts}
   this.ended = {}; // job id -> where it was placed, or true while that is being done or could not be
   this.unplaced = {}; // job id -> {entries, context} of what could not be placed; not acknowledged, so it is told again
   this.entries = [];
   this.count = 0;
}

Link.prototype.nextId = function () {
   this.count += 1;
   return this.client + "-" + new Date().getTime().toString(36) + "-" + this.count;
};

Link.prototype.send = function (name, values) {
   this.hooks.send(table.prefix + "/" + name, values);
};

// port: where answers are heard.
Link.prototype.hello = function (port) {
   this.port = port;
   this.send("hello", [this.client, port, this.title, 1]);
};

Link.prototype.ask = function (name, values, then) {
   var id = this.nextId();
   if (then) { this.waiting[id] = then; }
   this.send(name, [id].concat(values));
   return id;
};

// One request after the other, each once the one before it was accepted; an error ends the row.
Link.prototype.inTurn = function (requests, last) {
   var link = this;
   function next(index) {
      if (index === requests.length) { last(); return; }
      link.ask(requests[index][0], requests[index][1], function () { next(index + 1); });
   }
   next(0);
};

// Whether a kind, or a preset's kind, hears clips at all.
Link.prototype.takesClips = function (what) {
   var preset = /^preset\s+(.+)$/.exec(what);
   var known = preset ? this.entries.filter(function (entry) { return entry.name === preset[1]; })[0] : { kind: what };
   var inputs = known && table.kinds[known.kind];
   return !inputs || inputs.length > 0;
};

// Renders clips ({file, options}); a kind that hears none gets none. what: a kind, or "preset NAME".
// context: anything; results come with it.
Link.prototype.render = function (what, clips, options, context) {
   var link = this;
   var preset = /^preset\s+(.+)$/.exec(what);
   var name = preset ? "preset" : "render/" + what;
   var heard = link.takesClips(what) ? clips : [];
   var selection = [["clip/clear", []]].concat(heard.map(function (clip) {
      return ["clip/add", [link.named(clip.file)].concat(clip.options || [])];
   }));
   link.inTurn(selection, function () {
      var request = link.ask(name, (preset ? [preset[1]] : []).concat(options), function (reply) {
         link.hooks.state("started", reply.job);
      });
      link.jobs[request] = { label: what, context: context, parts: {} };
   });
};

// A file under the import root by its name there, another one by its whole path.
Link.prototype.named = function (file) {
   return file.indexOf(this.root + "/") === 0 ? file.substring(this.root.length + 1) : file;
};

Link.prototype.running = function () { return Object.keys(this.jobs); };

Link.prototype.cancel = function () {
   var link = this;
   var running = link.running();
   running.forEach(function (request) { link.ask("job/cancel", [request]); });
   if (running.length === 0) { link.hooks.state("ready", "nothing is being rendered"); }
};

function named(fields, values) {
   var object = {};
   fields.forEach(function (field, i) { object[field] = values[i]; });
   return object;
}

// A message from the bridge. Unknown ones are nothing to this version.
Link.prototype.receive = function (address, values) {
   if (address.indexOf(table.prefix + "/") !== 0) { return; }
   var name = address.substring(table.prefix.length + 1);
   var heard = name in table.events && this["on_" + name.replace("/", "_")];
   if (heard) { heard.call(this, named(table.events[name], values), values); }
};

Link.prototype.on_ok = function (ok, values) {
   var name = String(ok.address).substring(table.prefix.length + 1);
   var reply = named(table.replies[name] || ["job"], values.slice(2)); // a kind newer than this table answers as all do
   if (name === "hello") {
      if (ok.request !== this.client || this.root !== "") { return; }
      this.root = String(reply.root);
      this.entries = [];
      this.ask("preset/list", []);
      this.hooks.ready();
      return;
   }
   var then = this.waiting[ok.request];
   delete this.waiting[ok.request];
   if (then) { then(reply); }
};

Link.prototype.on_error = function (error) {
   delete this.waiting[error.request];
   delete this.jobs[error.request];
   if (/\/job\/(ack|placed)$/.test(error.address)) { return; } // said twice
   this.hooks.state("error", error.message);
};

Link.prototype.on_preset_entry = function (entry) {
   this.entries.push(entry);
   if (entry.index === entry.count) { this.hooks.presets(this.entries); }
};

Link.prototype.on_progress = function (progress) {
   var job = this.jobs[progress.request];
   if (!job) { return; }
   var steps = progress.steps > 0 ? " " + progress.step + "/" + progress.steps : "";
   var left = progress.eta_s > 0 ? ", " + Math.ceil(progress.eta_s) + " s left" : "";
   this.hooks.progress(progress.fraction, job.label + ": " + progress.phase + steps + left);
};

Link.prototype.on_done = function (done) {
   var link = this;
   var where = link.ended[done.job];
   if (where) {
      if (where !== true) { link.acknowledge(done.job); }
      return;
   }
   var job = link.jobs[done.request] = link.jobs[done.request] || { label: "earlier render", context: null, parts: {} };
   if (done.index > 0) { job.parts[done.index] = done; }
   var parts = Object.keys(job.parts).map(Number).sort(function (a, b) { return a - b; });
   if (parts.length < done.count) { return; }
   link.ended[done.job] = true;
   delete link.jobs[done.request];
   link.place(done.job, parts.map(function (i) { return job.parts[i]; }), job.context);
};

Link.prototype.place = function (job, entries, context) {
   var link = this;
   delete link.unplaced[job];
   link.hooks.results(job, entries, context, function (placed) {
      link.hooks.progress(0, "");
      if (placed === null) {
         link.unplaced[job] = { entries: entries, context: context };
         return;
      }
      link.ended[job] = placed;
      link.acknowledge(job);
      link.hooks.state("done", entries.length + (entries.length === 1 ? " result: " : " results: ") + placed);
   });
};

// Tries again what could not be placed. change(context) may give another one.
Link.prototype.placeAgain = function (change) {
   var link = this;
   Object.keys(link.unplaced).forEach(function (job) {
      var kept = link.unplaced[job];
      link.place(job, kept.entries, change(kept.context));
   });
};

Link.prototype.acknowledge = function (job) {
   this.ask("job/placed", [job, "@where", this.ended[job]]);
};

Link.prototype.end = function (event, state, text) {
   this.ask("job/ack", [event.job]);
   if (this.ended[event.job]) { return; }
   this.ended[event.job] = state;
   delete this.jobs[event.request];
   this.hooks.progress(0, "");
   this.hooks.state(state, text);
};

Link.prototype.on_failed = function (event) { this.end(event, "failed", event.message); };

Link.prototype.on_cancelled = function (event) { this.end(event, "cancelled", "cancelled"); };

// `@name value` words of a text; one with spaces stands in double quotes.
function words(text) {
   return (String(text).match(/"[^"]*"|\S+/g) || []).map(function (word) { return word.replace(/^"(.*)"$/, "$1"); });
}

// What a [textedit] says as options: one symbol as it was typed, or atoms that Max has taken apart already. The text that
// stands there at first is only a hint.
function optionsOf(atoms) {
   var text = atoms.join(" ");
   if (text === "@prompt ...") { return []; }
   return atoms.length === 1 || text.indexOf('"') >= 0 ? words(text) : atoms;
}

exports.Link = Link;
exports.optionsOf = optionsOf;
exports.table = table;
