// SPDX-License-Identifier: MIT
// The script inside Athanor.amxd: Live's selected clip goes out, results come in on a new take lane, a new track or in a
// clip slot, at the clip's own beat. Nothing is replaced or deleted. Live 12.0.5 or later.
// Outlets: 0 to [udpsend], 1 to [udpreceive], 2 to the device's display, 3 not used.

autowatch = 0;
inlets = 1;
outlets = 4;

var athanor = require("athanor_link.js");
var clips = require("athanor_clip.js");
var place = require("athanor_place.js");

var CLIENT = "live";
var FIRST_PORT = 7500;
var PORTS = 20;
var HELLO_MS = 2000;
var SETTLE_MS = 150;
var CHUNK = 4096;
var LANES = { "take lane": "take_lane", "new track": "new_track", "clip slot": "slot" };

var port = FIRST_PORT;
var what = "fuse";
var options = [];
var lane = "take_lane";
var chosen = []; // clips that were added: {file, options, source}

var link = new athanor.Link(CLIENT, "Ableton Live", {
   send: function (address, values) { outlet(0, address, values); },
   state: function (name, text) { tell(name === "done" ? text : name + (text ? ": " + text : "")); },
   progress: function (fraction, text) {
      outlet(2, "progress", Math.round(100 * fraction));
      if (text) { tell(text); }
   },
   presets: function (entries) {
      entries.forEach(function (entry) {
         if (entry.kind !== "chain") { outlet(2, "what", "append", "preset " + entry.name); }
      });
   },
   ready: function () {
      greeting.cancel();
      tell("ready");
   },
   results: take
});

function tell(text) { outlet(2, "status", text); }

var greeting = new Task(greet, this);
greeting.interval = HELLO_MS;

// Another port each time that nobody answers: the last one may be another device's.
function greet() {
   outlet(1, "port", port);
   link.hello(port);
   port = FIRST_PORT + (port - FIRST_PORT + 1) % PORTS;
   tell("looking for the bridge (athanor up)");
}

// From [live.thisdevice]: Live's objects can be asked from now on, and not before.
function bang() {
   outlet(2, "what", "clear");
   Object.keys(athanor.table.kinds).forEach(function (kind) { outlet(2, "what", "append", kind); });
   outlet(2, "results", "clear");
   outlet(2, "results", "append", "results");
   greeting.repeat();
}

// LiveAPI answers with a list, of one value mostly.
function value(object, name) {
   var got = object.get(name);
   return got !== null && typeof got === "object" ? got[0] : got;
}

// A property that this clip or this version of Live may not have.
function number(object, name, otherwise) {
   var got = Number(value(object, name));
   return isNaN(got) ? otherwise : got;
}

// The track that a clip lies on, by its parents: a slot or a lane may be between. {track, slot (object) or null}
function whereabouts(clip) {
   var slot = null;
   var object = place.byId(LiveAPI, place.idOf(clip.get("canonical_parent")));
   while (object.type !== "Track" && Number(object.id) !== 0) {
      if (object.type === "ClipSlot") { slot = object; }
      object = place.byId(LiveAPI, place.idOf(object.get("canonical_parent")));
   }
   return { track: object, slot: slot === null ? -1 : place.ids(object, "clip_slots").indexOf(Number(slot.id)) };
}

function markersOf(clip) { return JSON.parse(String(clip.get("warp_markers"))).warp_markers; }

// {file, options, source} of the clip that Live shows in its clip view; or null, and the display says why.
function selected() {
   var clip = new LiveAPI("live_set view detail_clip");
   if (Number(clip.id) === 0) { return refuse("select a clip first"); }
   if (!Number(value(clip, "is_audio_clip"))) { return refuse("the selected clip is no audio clip"); }
   var lies = whereabouts(clip);
   var warping = Number(value(clip, "warping")) === 1;
   var inArrangement = Number(value(clip, "is_arrangement_clip")) === 1;
   var facts = {
      file_path: String(value(clip, "file_path")), warping: warping, in_arrangement: inArrangement,
      markers: warping ? markersOf(clip) : [], looping: Number(value(clip, "looping")) === 1,
      tempo: number(new LiveAPI("live_set"), "tempo", 120), track: String(value(lies.track, "name"))
   };
   ["warp_mode", "loop_start", "loop_end", "start_marker", "pitch_coarse", "pitch_fine", "start_time", "end_time"]
      .forEach(function (name) { facts[name] = number(clip, name, 0); });
   var described = clips.described(facts);
   if (described.error) { return refuse(facts.file_path.replace(/^.*\//, "") + ": " + described.error); }
   if (described.stretched) { tell("this clip is stretched: by Athanor's stretcher, not by Live's"); }
   described.source = { track: Number(lies.track.id), slot: lies.slot };
   return described;
}

function refuse(text) {
   tell(text);
   return null;
}

function showClips() {
   outlet(2, "clips", chosen.map(function (clip) { return clip.file.replace(/^.*\//, ""); }).join(", ") ||
          "the selected clip");
}

// One more clip for a render of several; `clear` goes back to the selected one.
function add() {
   var clip = selected();
   if (clip) {
      chosen.push(clip);
      showClips();
   }
}

function clear() {
   chosen = [];
   showClips();
}

function menu() { what = arrayfromargs(arguments).join(" "); }

// A textedit says `text` first.
function text() { options = athanor.optionsOf(arrayfromargs(arguments)); }

function result() {} // the menu of results is for reading: they lie in the set

function meter(set) { return value(set, "signature_numerator") + "/" + value(set, "signature_denominator"); }

function render() {
   var sources = [];
   if (link.takesClips(what)) {
      sources = chosen.length ? chosen : [selected()];
      if (sources[0] === null) { return; } // and the display says why
   }
   var set = new LiveAPI("live_set");
   var asked = ["@lane", lane, "@tempo", clips.decimal(number(set, "tempo", 120)), "@meter", meter(set)];
   if (sources.length === 0) { asked.push("@start_beats", clips.decimal(number(set, "current_song_time", 0))); }
   link.render(what, sources, asked.concat(options), { source: sources.length ? sources[0].source : null, lane: lane });
}

function cancel() { link.cancel(); }

// Another lane also for what found no place on the last one.
function setLane(name) {
   lane = LANES[name] || "take_lane";
   link.placeAgain(function (context) { return { source: context ? context.source : null, lane: lane }; });
}

// The record beside a result. Max reads bytes; they are UTF-8.
function recordOf(entry) {
   var file = new File(link.root + "/" + entry.record, "read");
   var read = "";
   while (file.isopen && file.position < file.eof) { read += file.readstring(CHUNK); }
   file.close();
   try {
      read = decodeURIComponent(escape(read));
   } catch (error) {
      // this version of Max had decoded it
   }
   try {
      return JSON.parse(read);
   } catch (error) {
      return {};
   }
}

function take(job, entries, context, finish) {
   var results = entries.map(function (entry) {
      var record = recordOf(entry);
      var beats = record.start_beats;
      if (typeof beats !== "number") { beats = entry.start_seconds * number(new LiveAPI("live_set"), "tempo", 120) / 60; }
      return { path: link.root + "/" + entry.file, beats: beats, name: record.name || entry.role,
               colour: parseInt(String(record.colour || "").substring(1), 16), lane: record.lane };
   });
   var where = context || { source: null, lane: results.length ? results[0].lane : lane };
   place.all(LiveAPI, results, where, later, function (said, trouble) {
      if (trouble) {
         tell(trouble);
         finish(null);
         return;
      }
      results.forEach(function (each) { outlet(2, "results", "append", each.name); });
      finish(said);
   });
}

function later(work) { new Task(work, this).schedule(SETTLE_MS); }

// A message of the bridge.
function anything() {
   if (messagename.charAt(0) === "/") { link.receive(messagename, arrayfromargs(arguments)); }
   if (messagename === "lane") { setLane(arrayfromargs(arguments).join(" ")); }
}
