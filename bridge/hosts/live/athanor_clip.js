// SPDX-License-Identifier: MIT
// What of a Live clip's file sounds, and how it is said to the bridge. Pure: facts in, {file, options} or {error} out.
//
// facts: file_path, sample_rate, warping, warp_mode, markers ([{beat_time, sample_time}], times in seconds), looping,
// loop_start, loop_end, start_marker, pitch_coarse, pitch_fine, in_arrangement, start_time, end_time, tempo, track. Of an
// unwarped clip the markers count in seconds of its file, of a warped one in beats.

var REPITCH = 3;
var STRAIGHT = 1e-6;

// Seconds of the file that one beat takes, if all markers lie on one line; else 0. The last marker is Live's own.
function secondsPerBeat(markers) {
   var first = markers[0];
   var last = markers[markers.length - 1];
   var slope = (last.sample_time - first.sample_time) / (last.beat_time - first.beat_time);
   var straight = markers.every(function (marker) {
      return Math.abs(first.sample_time + slope * (marker.beat_time - first.beat_time) - marker.sample_time) < STRAIGHT;
   });
   return straight && slope > 0 ? slope : 0;
}

// {offset_s, length_s, rate, preserve}: what of the file sounds, and how fast; or {error}.
function sounding(facts) {
   var pitch = Math.pow(2, (facts.pitch_coarse + facts.pitch_fine / 100) / 12);
   if (!facts.warping) {
      return { offset_s: facts.loop_start, length_s: facts.loop_end - facts.loop_start, rate: pitch, preserve: false };
   }
   var slope = facts.markers.length > 1 ? secondsPerBeat(facts.markers) : 0;
   if (slope === 0) {
      return { error: "its warp markers bend it, and only Live can render that: consolidate or unwarp it" };
   }
   var preserve = facts.warp_mode !== REPITCH;
   if (preserve && Math.abs(pitch - 1) > STRAIGHT) {
      return { error: "it is transposed while warped, which only Live can render: flatten it, or set Transpose to 0" };
   }
   var from = facts.looping ? facts.start_marker : facts.loop_start;
   var beats = facts.in_arrangement ? facts.end_time - facts.start_time : facts.loop_end - from;
   if (facts.looping && from + beats > facts.loop_end + STRAIGHT) {
      return { error: "it repeats its loop: consolidate it (Ctrl-J, Cmd-J), or make it no longer than the loop" };
   }
   var first = facts.markers[0];
   return { offset_s: first.sample_time + slope * (from - first.beat_time), length_s: slope * beats,
            rate: slope * facts.tempo / 60, preserve: preserve };
}

// A number as the bridge reads it exactly, never as 1e-7.
function decimal(number) { return number.toFixed(12).replace(/\.?0+$/, ""); }

function described(facts) {
   var part = sounding(facts);
   if (part.error) { return part; }
   if (part.offset_s < -STRAIGHT) { return { error: "it begins before its file does: move its start, or consolidate it" }; }
   var options = ["@offset_s", decimal(Math.max(0, part.offset_s)), "@length_s", decimal(part.length_s)];
   if (Math.abs(part.rate - 1) > STRAIGHT) {
      options.push("@playback_rate", decimal(part.rate), "@preserve_pitch", part.preserve ? 1 : 0);
   }
   if (facts.in_arrangement) {
      options.push("@start_s", decimal(facts.start_time * 60 / facts.tempo), "@start_beats", decimal(facts.start_time));
   }
   if (facts.track) { options.push("@track", facts.track); }
   return { file: facts.file_path, options: options,
            stretched: part.preserve && Math.abs(part.rate - 1) > STRAIGHT };
}

exports.described = described;
exports.secondsPerBeat = secondsPerBeat;
exports.decimal = decimal;
