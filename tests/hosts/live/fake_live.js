// SPDX-License-Identifier: GPL-3.0-or-later
// A FAKE of Live behind Max's LiveAPI, for tests: no Live is behind it. Names, types, ranges and refusals are those of
// Cycling '74's Live object model. What Live refuses it says in the Max window, and the call does nothing; here it is kept
// in `posted`. A name that the model does not have is an error of the script's.
//
// live(set): set = {tempo, signature, tracks: [{name, kind: audio|midi, frozen, clips: [facts of a clip with start_time],
// slots: [facts or null]}], detail: [track, "clips"|"slots", index] or null, selected: track}.
"use strict";
const fs = require("fs");

const LAST_BEAT = 1576800;
const DEFER_MS = 50;
const CLIP = { name: "", color: 0, file_path: "", is_audio_clip: 1, is_arrangement_clip: 1, start_time: 0, end_time: 0,
  warping: 0, warp_mode: 0, looping: 0, loop_start: 0, loop_end: 1, start_marker: 0, end_marker: 1, pitch_coarse: 0,
  pitch_fine: 0 };

exports.live = (set) => {
  const objects = new Map();
  const posted = [];
  const make = (type, parent, properties, children = {}) => {
    const object = { id: objects.size + 1, type, parent, properties, children, calls: {}, settable: new Set() };
    objects.set(object.id, object);
    return object;
  };
  const refuse = (text) => { posted.push(text); return undefined; };

  function makeClip(parent, facts) {
    const { warp_markers: markers, ...rest } = facts;
    const clip = make("Clip", parent, { ...CLIP, ...rest });
    if (clip.properties.warping) clip.properties.warp_markers = JSON.stringify({ warp_markers: markers });
    clip.settable = new Set(["name", "color", "warping", "looping"]);
    return clip;
  }

  function seconds(file) {
    const bytes = fs.readFileSync(file);
    let at = 12;
    let rate = 0;
    while (at + 8 <= bytes.length) {
      const [tag, size] = [bytes.toString("latin1", at, at + 4), bytes.readUInt32LE(at + 4)];
      if (tag === "fmt ") rate = bytes.readUInt32LE(at + 16);
      if (tag === "data") return size / rate;
      at += 8 + size + (size % 2);
    }
    throw new Error(`${file} is no WAV file`);
  }

  // What both Track and TakeLane do. A new clip is warped, as Live's default for longer ones is.
  function createAudioClip(parent, track, file, beats) {
    if (typeof file !== "string" || typeof beats !== "number") return refuse("create_audio_clip: wrong types");
    if (track.properties.has_audio_input !== 1) return refuse("create_audio_clip: not an audio track");
    if (track.properties.is_frozen) return refuse("create_audio_clip: the track is frozen");
    if (!(beats >= 0 && beats <= LAST_BEAT)) return refuse("create_audio_clip: outside [0., 1576800.]");
    if (!fs.existsSync(file)) return refuse("create_audio_clip: not a valid audio file");
    const end = beats + seconds(file) * song.properties.tempo / 60;
    parent.children.arrangement_clips.forEach((other) => {
      if (other.properties.start_time < end && other.properties.end_time > beats) other.cut = true;
    });
    const clip = makeClip(parent, { file_path: file, start_time: beats, end_time: end, warping: 1, warp_markers: [] });
    parent.children.arrangement_clips.push(clip);
    return ["id", clip.id];
  }

  function makeSlot(track, facts) {
    const slot = make("ClipSlot", track, { has_clip: facts ? 1 : 0 }, { clip: null });
    const fill = (given) => {
      slot.children.clip = makeClip(slot, { ...given, is_arrangement_clip: 0 });
      slot.properties.has_clip = 1;
    };
    if (facts) fill(facts);
    slot.calls.create_audio_clip = (file) => {
      if (slot.properties.has_clip) return refuse("create_audio_clip: the slot has a clip");
      if (!fs.existsSync(file)) return refuse("create_audio_clip: not a valid audio file");
      fill({ file_path: file, warping: 1, warp_markers: [] });
    };
    return slot;
  }

  function makeTrack(facts) {
    const audio = facts.kind === "midi" ? 0 : 1;
    const track = make("Track", song, { name: facts.name, color: 0, has_audio_input: audio, is_foldable: 0,
      is_frozen: facts.frozen ? 1 : 0 }, { arrangement_clips: [], take_lanes: [], clip_slots: [] });
    track.settable = new Set(["name", "color"]);
    track.children.arrangement_clips = (facts.clips || []).map((clip) => makeClip(track, clip));
    track.children.clip_slots = (facts.slots || [null, null]).map((clip) => makeSlot(track, clip));
    track.calls.create_audio_clip = (file, beats) => createAudioClip(track, track, file, beats);
    track.calls.create_take_lane = () => {
      const lane = make("TakeLane", track, { name: "" }, { arrangement_clips: [] });
      lane.settable.add("name");
      lane.calls.create_audio_clip = (file, beats) => createAudioClip(lane, track, file, beats);
      track.children.take_lanes.push(lane);
    };
    return track;
  }

  const song = make("Song", null, { tempo: set.tempo || 120, signature_numerator: 4, signature_denominator: 4,
    current_song_time: set.time || 0 }, { tracks: [] });
  song.children.tracks = set.tracks.map(makeTrack);
  song.calls.create_audio_track = (index) => {
    if (index !== -1) throw new Error("the fake appends only");
    song.children.tracks.push(makeTrack({ name: "Audio" }));
  };
  const view = make("Song.View", song, {}, { detail_clip: null, selected_track: song.children.tracks[set.selected || 0] });
  if (set.detail) {
    const [track, child, index] = set.detail;
    const found = song.children.tracks[track].children[child === "slots" ? "clip_slots" : "arrangement_clips"][index];
    view.children.detail_clip = child === "slots" ? found.children.clip : found;
  }

  function find(path) {
    if (path.startsWith("id ")) return objects.get(Number(path.slice(3))) || null;
    const [root, ...steps] = path.split(" ");
    if (root !== "live_set") throw new Error(`no path ${path}`);
    return steps.reduce((object, step) => {
      if (object === null || step === "view") return object && view;
      const child = Array.isArray(object) ? object[Number(step)] : object.children[step];
      if (child === undefined) throw new Error(`no path ${path}`);
      return child;
    }, song);
  }

  class LiveAPI {
    constructor(path) {
      this.object = find(path);
      this.id = String(this.object ? this.object.id : 0);
      this.type = this.object ? this.object.type : "";
    }
    get(name) {
      const object = this.object;
      if (name === "canonical_parent") return ["id", object.parent ? object.parent.id : 0];
      if (name in object.children) {
        const child = object.children[name];
        return Array.isArray(child) ? child.flatMap((each) => ["id", each.id]) : ["id", child ? child.id : 0];
      }
      if (!(name in object.properties)) throw new Error(`${object.type} has no ${name}`);
      return [object.properties[name]];
    }
    set(name, value) {
      const object = this.object;
      if (!object.settable.has(name)) throw new Error(`${object.type}.${name} cannot be set`);
      if (typeof value !== typeof object.properties[name]) throw new Error(`${name}: ${value} is of a wrong type`);
      if (name === "warping") setTimeout(() => { object.properties.warping = value; }, DEFER_MS);
      else object.properties[name] = value;
    }
    call(name, ...values) {
      if (!(name in this.object.calls)) throw new Error(`${this.object.type} has no ${name}`);
      return this.object.calls[name](...values);
    }
  }

  const shown = (clip) => clip && { ...clip.properties, cut: clip.cut === true };
  return {
    LiveAPI,
    summary: () => ({ posted, tracks: song.children.tracks.map((track) => ({
      name: track.properties.name, color: track.properties.color, clips: track.children.arrangement_clips.map(shown),
      slots: track.children.clip_slots.map((slot) => shown(slot.children.clip)),
      take_lanes: track.children.take_lanes.map((lane) => ({ name: lane.properties.name,
        clips: lane.children.arrangement_clips.map(shown) })) })) }),
  };
};
