// SPDX-License-Identifier: MIT
// Athanor in Bitwig Studio: renders, and puts the results into empty launcher slots of the selected track.
// Controllers cannot read a clip's sound, so clips are named: files under the import root, in the panel's field "Clips".
// The arranger takes no files from a controller either; `athanor export --as dawproject` is the way there.

loadAPI(10);
host.defineController("Athanor", "Athanor", "1.0", "4b3e3f0c-6a5d-4c39-9d2e-5f0b8c7a1e42", "Athanor contributors");

var PREFIX = "/athanor/v1";
var CLIENT = "bitwig";
var BRIDGE_PORT = 9101;
var OWN_PORT = 9103;
var SLOTS = 128;
var NOTICE_MS = 2000;
var CHECK_MS = 1000;
var HELLO_MS = 2000;

var bridge, slots, track, transport, panel;
var root = "";
var jobs = {}; // request id -> {parts, job, label}; gone when its results lie in their slots
var ended = {}; // job id -> true
var promised = {}; // slot -> true, from when a file was put there until Bitwig has had time to take it
var count = 0;
var lastNotice = 0;
var gone = false;

function init() {
   transport = host.createTransport();
   transport.tempo().value().markInterested();
   track = host.createCursorTrack("athanor", "Athanor", 0, SLOTS, true);
   track.name().markInterested();
   slots = track.clipLauncherSlotBank();
   for (var i = 0; i < SLOTS; i++) {
      slots.getItemAt(i).hasContent().markInterested();
      slots.getItemAt(i).isSelected().markInterested();
   }
   makePanel();
   connect();
}

function exit() { gone = true; }

function flush() {}

function makePanel() {
   var document = host.getDocumentState();
   panel = {
      what: document.getStringSetting("Kind, or preset NAME", "Athanor", 40, "fuse"),
      clips: document.getStringSetting("Clips (a.wav; b.wav)", "Athanor", 400, ""),
      options: document.getStringSetting("Options (@name value)", "Athanor", 400, "")
   };
   Object.keys(panel).forEach(function (name) { panel[name].markInterested(); });
   document.getSignalSetting("Start", "Athanor", "Render").addSignalObserver(render);
   document.getSignalSetting("Stop", "Athanor", "Cancel").addSignalObserver(cancel);
}

function connect() {
   var osc = host.getOscModule();
   var space = osc.createAddressSpace();
   space.registerDefaultMethod(receive);
   osc.createUdpServer(OWN_PORT, space);
   bridge = osc.connectToUdpServer("127.0.0.1", BRIDGE_PORT, null);
   greet();
}

// Until it is answered: the bridge may be started later than Bitwig.
function greet() {
   if (root !== "" || gone) { return; }
   send("/hello", CLIENT, OWN_PORT, "Bitwig Studio", 1);
   host.scheduleTask(greet, HELLO_MS);
}

// Every value goes as a text: the bridge reads numbers from it, and none is rounded on the way. `join` makes a plain text of
// what was put together, and the call is written out, because not every engine of Bitwig's lends its own methods to `apply`.
function send() {
   var values = Array.prototype.map.call(arguments, function (value) { return [value].join(""); });
   values[0] = [PREFIX, values[0]].join("");
   var listed = values.map(function (value, i) { return "v[" + i + "]"; }).join(", ");
   new Function("c", "v", "c.sendMessage(" + listed + ");")(bridge, values);
}

function requestId() {
   count += 1;
   return "b" + Date.now().toString(36) + "-" + count;
}

function tell(text) {
   host.showPopupNotification("Athanor: " + text);
}

// `@name value` pairs; a value with spaces stands in double quotes.
function words(text) {
   return (text.match(/"[^"]*"|\S+/g) || []).map(function (word) { return word.replace(/^"(.*)"$/, "$1"); });
}

function render() {
   if (root === "") {
      tell("the bridge does not answer. Start it with: athanor up");
      return;
   }
   var what = panel.what.get().trim();
   var files = panel.clips.get().split(";").map(function (name) { return name.trim(); }).filter(String);
   var request = requestId();
   var preset = what.match(/^preset\s+(.+)$/);
   var fields = preset ? ["/preset", request, preset[1]] : ["/render/" + what, request].concat(files);
   if (preset) {
      send("/clip/clear", requestId());
      files.forEach(function (file) { send("/clip/add", requestId(), file); });
   }
   fields.push("@lane", "slot", "@track", track.name().get(), "@tempo", transport.tempo().value().getRaw());
   jobs[request] = { parts: {}, label: what };
   send.apply(null, fields.concat(words(panel.options.get())));
}

function cancel() {
   Object.keys(jobs).forEach(function (request) { send("/job/cancel", requestId(), request); });
}

var answers = {
   ok: function (m) {
      if (m.getString(1) !== PREFIX + "/hello" || root !== "") { return; }
      root = m.getString(4);
      println("Athanor is ready.");
   },
   error: function (m) {
      var request = m.getString(0);
      if (/\/job\/(ack|placed)$/.test(m.getString(1))) { return; } // acknowledged twice
      delete jobs[request];
      tell(m.getString(3));
      host.errorln("Athanor: " + m.getString(3));
   },
   progress: function (m) {
      var job = jobs[m.getString(0)];
      if (!job || Date.now() - lastNotice < NOTICE_MS) { return; }
      lastNotice = Date.now();
      var steps = m.getInt(4) > 0 ? " " + m.getInt(3) + "/" + m.getInt(4) : "";
      tell(job.label + ": " + m.getString(2) + steps);
   },
   done: function (m) {
      var id = m.getString(1);
      if (ended[id]) { return; }
      var job = jobs[m.getString(0)] || (jobs[m.getString(0)] = { parts: {}, label: "earlier render" });
      job.parts[m.getInt(2)] = m.getString(5);
      if (Object.keys(job.parts).length < m.getInt(3)) { return; }
      ended[id] = true;
      delete jobs[m.getString(0)];
      place(id, Object.keys(job.parts).filter(function (i) { return i > 0; }).map(function (i) { return job.parts[i]; }));
   },
   failed: function (m) { end(m, m.getString(4)); },
   cancelled: function (m) { end(m, "cancelled"); }
};

function receive(source, message) {
   var answer = answers[message.getAddressPattern().substring(PREFIX.length + 1)];
   if (answer) { answer(message); }
}

function end(message, text) {
   var id = message.getString(1);
   if (ended[id]) { return; }
   ended[id] = true;
   delete jobs[message.getString(0)];
   send("/job/ack", requestId(), id);
   tell(text);
}

// So many empty slots of the selected track, from the selected slot on; fewer where there are no more.
function emptySlots(wanted) {
   var first = 0;
   var found = [];
   for (var i = 0; i < SLOTS; i++) {
      if (slots.getItemAt(i).isSelected().get()) { first = i; }
   }
   for (var j = first; j < SLOTS && found.length < wanted; j++) {
      if (!promised[j] && !slots.getItemAt(j).hasContent().get()) { found.push(j); }
   }
   return found;
}

// Bitwig says nothing where it does not take a file, so the slots are looked at a moment later; only what lies there is
// acknowledged, the rest is announced again at the next start.
function place(id, files) {
   var empty = emptySlots(files.length);
   if (empty.length < files.length) {
      ended[id] = false;
      tell(files.length + " results, and " + empty.length + " empty slots on " + track.name().get() +
           ". Select another track; the results are announced again.");
      return;
   }
   files.forEach(function (file, i) {
      promised[empty[i]] = true;
      slots.getItemAt(empty[i]).replaceInsertionPoint().insertFile(root + "/" + file);
   });
   var name = track.name().get();
   host.scheduleTask(function () {
      empty.forEach(function (i) { delete promised[i]; });
      var taken = empty.filter(function (i) { return slots.getItemAt(i).hasContent().get(); });
      if (taken.length < files.length) {
         tell("Bitwig did not take " + (files.length - taken.length) + " of " + files.length + " files from " + root + ".");
         return;
      }
      send("/job/placed", requestId(), id, "@where", "Bitwig, " + name + ", slot " +
           empty.map(function (i) { return i + 1; }).join(", "));
      tell(files.length + " results on " + name);
   }, CHECK_MS);
}
