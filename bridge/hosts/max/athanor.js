// SPDX-License-Identifier: MIT
// The script inside athanor.maxpat: what its inlet, menus and buttons say goes to the bridge by OSC, and what comes back
// goes to its outlets. Outlets: 0 to [udpsend], 1 to [udpreceive], 2 to the patch's own display, 3 results, 4 progress 0 to 1,
// 5 states: ready, started JOB, error TEXT, failed TEXT, cancelled, done TEXT.

autowatch = 0;
inlets = 1;
outlets = 6;

var athanor = require("athanor_link.js");
var FIRST_PORT = 7400;
var PORTS = 20;
var HELLO_MS = 2000;
var LOOK_MS = 100;
var LOOKS = 600;

var client = typeof jsarguments[1] === "string" ? jsarguments[1] : "max";
var port = jsarguments[2] > 0 ? jsarguments[2] : FIRST_PORT;
var fixed = jsarguments[2] > 0;
var clips = [];
var what = "fuse";
var options = [];
var results = [];
var buffers = 0;

var link = new athanor.Link(client, "Max", {
   send: function (address, values) { outlet(0, address, values); },
   state: function (name, text) {
      outlet(5, name, text);
      outlet(2, "status", name === "done" ? text : name + (text ? ": " + text : ""));
   },
   progress: function (fraction, text) {
      outlet(4, fraction);
      outlet(2, "progress", Math.round(100 * fraction));
      if (text) { outlet(2, "status", text); }
   },
   presets: function (entries) {
      entries.forEach(function (entry) {
         if (entry.kind !== "chain") { outlet(2, "what", "append", "preset " + entry.name); }
      });
   },
   ready: function () {
      greeting.cancel();
      outlet(5, "ready", link.root);
      outlet(2, "status", "ready; files lie in " + link.root);
   },
   results: take
});

// Another port each time that nobody answers: the last one may be another patch's.
var greeting = new Task(greet, this);
greeting.interval = HELLO_MS;

function greet() {
   outlet(1, "port", port);
   link.hello(port);
   if (link.root === "" && !fixed) { port = FIRST_PORT + (port - FIRST_PORT + 1) % PORTS; }
   outlet(2, "status", "looking for the bridge (athanor up)");
}

function loadbang() {
   outlet(2, "what", "clear");
   Object.keys(athanor.table.kinds).forEach(function (kind) { outlet(2, "what", "append", kind); });
   outlet(2, "results", "clear");
   outlet(2, "results", "append", "results");
   greeting.repeat();
}

function take(job, entries, context, finish) {
   entries.forEach(function (entry) {
      var path = link.root + "/" + entry.file;
      results.push(path);
      outlet(2, "results", "append", entry.file.replace(/^.*\//, ""));
      outlet(2, "playlist", "append", path);
      outlet(3, "result", path, entry.role, entry.index, entry.count);
   });
   finish("Max, " + client);
}

// The menu of results: its first line is a heading.
function result(index) {
   if (index > 0 && index <= results.length) { outlet(3, "result", results[index - 1]); }
}

function menu() { what = arrayfromargs(arguments).join(" "); }

// A textedit says `text` first.
function text() { options = athanor.optionsOf(arrayfromargs(arguments)); }

// clip FILE @option value ...: one more clip for the next render. A dropped file comes with its whole path.
function clip(file) {
   clips.push({ file: String(file), options: arrayfromargs(arguments).slice(1) });
   tellClips();
}

function clear() {
   clips = [];
   tellClips();
}

function tellClips() {
   outlet(2, "clips", clips.map(function (each) { return each.file.replace(/^.*\//, ""); }).join(", ") || "no clips");
}

// buffer NAME: writes a buffer~ into the folder of clips, and takes it when the file is whole.
function buffer(name) {
   var sound = new Buffer(name);
   var frames = sound.framecount();
   if (link.root === "" || frames < 1) {
      link.hooks.state("error", link.root === "" ? "the bridge has not answered yet" : "buffer~ " + name + " is empty");
      return;
   }
   buffers += 1;
   var file = "clips/" + client + "-" + new Date().getTime().toString(36) + buffers + ".wav";
   sound.send("samptype", "float32");
   sound.send("writewave", link.root + "/" + file);
   whenWhole(link.root + "/" + file, 4 * frames * sound.channelcount(), function () { clip(file); });
}

// Calls `then` once a file has at least so many bytes and has stopped growing.
function whenWhole(path, bytes, then) {
   var last = -1;
   var looks = 0;
   var task = new Task(function () {
      var file = new File(path, "read");
      var size = file.isopen ? file.eof : 0;
      file.close();
      looks += 1;
      if (size > bytes && size === last) {
         task.cancel();
         then();
      } else if (looks > LOOKS) {
         task.cancel();
         link.hooks.state("error", path + " was not written");
      }
      last = size;
   }, this);
   task.interval = LOOK_MS;
   task.repeat();
}

// Renders what the menu and the text say; the clips stay until `clear`.
function render() { link.render(what, clips, options, null); }

function cancel() { link.cancel(); }

// Everything else: a message of the bridge, or `KIND FILE ... @option value ...`, or `preset NAME FILE ... @option ...`.
function anything() {
   var values = arrayfromargs(arguments);
   if (messagename.charAt(0) === "/") {
      link.receive(messagename, values);
      return;
   }
   var name = messagename === "preset" ? "preset " + values.shift() : messagename;
   var first = 0;
   while (first < values.length && String(values[first]).charAt(0) !== "@") { first += 1; }
   var files = values.slice(0, first).map(function (file) { return { file: String(file) }; });
   link.render(name, files.length ? files : clips, values.slice(first), null);
}
