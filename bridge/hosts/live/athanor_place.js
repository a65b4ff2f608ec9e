// SPDX-License-Identifier: MIT
// Results into a Live Set: on take lanes of the source's track, on new tracks, or in empty clip slots; unwarped, so that
// their length is exact, and looked at again afterwards. `later(work)` lets Live do what it puts off, as it does with warping.

var LAST_BEAT = 1576800;
var NEAR = 1e-5; // beats: a quarter of a sample at 120 bpm and 48 kHz

// Of an answer `id 7`.
function idOf(answer) { return Number(answer[1]); }

// The ids of an object's children, in their order: Live answers `id 3 id 4`.
function ids(object, child) {
   var answer = object.get(child);
   var found = [];
   for (var i = 1; i < answer.length; i += 2) { found.push(Number(answer[i])); }
   return found.filter(function (id) { return id > 0; });
}

function byId(LiveAPI, id) { return new LiveAPI("id " + id); }

function isAudioTrack(track) {
   return Number(track.id) !== 0 && Number(track.get("has_audio_input")) === 1 && Number(track.get("is_foldable")) !== 1 &&
          Number(track.get("is_frozen")) !== 1;
}

function newTrack(LiveAPI, name, colour) {
   var set = new LiveAPI("live_set");
   set.call("create_audio_track", -1);
   var track = byId(LiveAPI, ids(set, "tracks").pop());
   dress(track, name, colour);
   return track;
}

function newLane(LiveAPI, track, name) {
   track.call("create_take_lane");
   var lane = byId(LiveAPI, ids(track, "take_lanes").pop());
   lane.set("name", name);
   return lane;
}

function dress(object, name, colour) {
   object.set("name", name);
   if (colour === colour) { object.set("color", colour); } // NaN where the record has none
}

// The clip that begins there: by its start, as its index says nothing.
function clipAt(LiveAPI, parent, beats) {
   var found = ids(parent, "arrangement_clips").map(function (id) { return byId(LiveAPI, id); }).filter(function (clip) {
      return Math.abs(Number(clip.get("start_time")) - beats) < NEAR;
   });
   return found.length ? found[found.length - 1] : null;
}

// Ids of the empty slots of a track, from one on.
function emptySlots(LiveAPI, track, from) {
   return ids(track, "clip_slots").slice(Math.max(0, from)).filter(function (id) {
      return Number(byId(LiveAPI, id).get("has_clip")) === 0;
   });
}

// Makes one clip. Returns {clip, where}; clip is null where Live did not take the file.
function one(LiveAPI, result, lane, track, slots) {
   if (lane === "slot") {
      var slot = byId(LiveAPI, slots.shift());
      slot.call("create_audio_clip", result.path);
      return { clip: byId(LiveAPI, idOf(slot.get("clip"))), where: "slot of " + track.get("name") };
   }
   var parent = lane === "take_lane" ? newLane(LiveAPI, track, result.name) : newTrack(LiveAPI, result.name, result.colour);
   parent.call("create_audio_clip", result.path, result.beats);
   return { clip: clipAt(LiveAPI, parent, result.beats), beats: result.beats,
            where: lane === "take_lane" ? "take lane of " + track.get("name") : "track " + result.name };
}

// Why nothing of it can be placed, or "".
function trouble(results, lane, track, slots) {
   if (lane === "slot" && slots.length < results.length) {
      return results.length + " results, and " + slots.length + " empty slots on " + track.get("name") +
             ": make scenes, or choose another lane.";
   }
   var outside = results.filter(function (each) { return !(each.beats >= 0 && each.beats <= LAST_BEAT); });
   return outside.length && lane !== "slot" ? "Live has no beat " + outside[0].beats + "." : "";
}

function isWrong(placed) {
   return Number(placed.clip.get("warping")) !== 0 ||
          (placed.beats !== undefined && Math.abs(Number(placed.clip.get("start_time")) - placed.beats) >= NEAR);
}

// results: [{path, beats, name, colour}]; where: {source: {track (id), slot} or null, lane}.
// then(words), or then("", why not).
function all(LiveAPI, results, where, later, then) {
   var track = where.source ? byId(LiveAPI, where.source.track) : new LiveAPI("live_set view selected_track");
   var lane = isAudioTrack(track) ? where.lane : "new_track";
   var slots = lane === "slot" ? emptySlots(LiveAPI, track, where.source ? where.source.slot : 0) : [];
   var refused = trouble(results, lane, track, slots);
   if (refused) {
      then("", refused);
      return;
   }
   var made = results.map(function (result) {
      var placed = one(LiveAPI, result, lane, track, slots);
      if (placed.clip !== null && Number(placed.clip.id) !== 0) {
         placed.clip.set("warping", 0);
         dress(placed.clip, result.name, result.colour);
      }
      return placed;
   });
   later(function () {
      var lost = made.filter(function (each) { return each.clip === null || Number(each.clip.id) === 0; });
      var wrong = lost.length ? [] : made.filter(isWrong);
      if (lost.length) {
         then("", "Live did not take " + lost.length + " of " + results.length + " files; the Max window says why.");
      } else if (wrong.length) {
         then("", wrong[0].where + ": the clip is not where it belongs, or is warped; undo, or move it by hand.");
      } else {
         then("Live, " + made.map(function (each) { return each.where; }).join(", "));
      }
   });
}

exports.all = all;
exports.byId = byId;
exports.idOf = idOf;
exports.ids = ids;
