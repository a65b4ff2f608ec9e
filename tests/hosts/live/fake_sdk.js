// SPDX-License-Identifier: GPL-3.0-or-later
// A FAKE of Live's Extension Host, for tests: no Live is behind it. It stands in for "@ableton-extensions/sdk" (API 1.0.0)
// with the calls that our declarations name, and refuses every other. Its tracks hold float32 WAV files that begin at beat 0.
// Clips take only files that were imported into the project; a transaction's work may not wait.
//
//   node fake_sdk.js SCENARIO.json
//
// SCENARIO: extension (built script), folder, tempo, scale ([root, name] or null), tracks ([{name, file}]), title (of the
// menu entry) or gesture (one of the test's own), selection ([first beat, last beat, [track numbers]]), cancelAt (a text in
// the dialog). Prints {menu, dialog, modals, tracks, steps, imported, left} as JSON.
"use strict";
const fs = require("fs");
const Module = require("module");
const path = require("path");

const scenario = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const project = path.join(scenario.folder, "project");
const temp = path.join(scenario.folder, "temp");
[project, temp].forEach((folder) => fs.mkdirSync(folder, { recursive: true }));
const seen = { menu: [], dialog: [], modals: [], imported: [], steps: 0 };
const registry = [];
const commands = new Map();
let inTransaction = 0;

for (const name of ["URL", "Blob", "FormData", "fetch"]) delete globalThis[name];

function strict(name, members) {
  return new Proxy(members, {
    get(target, key) {
      if (typeof key === "symbol" || key === "then" || key in target) return target[key];
      throw new Error(`${name}.${key} is nothing that the SDK has`);
    },
    set(target, key, value) {
      if (typeof target[key] !== typeof value) throw new Error(`${name}.${key} = ${value}`);
      if (!inTransaction) seen.steps += 1;
      target[key] = value;
      return true;
    },
  });
}

class DataModelObject {}
class AudioTrack extends DataModelObject {}

function adopt(type, members) {
  const made = strict(type.name || type, Object.assign(Object.create(type.prototype || {}), members));
  registry.push(made);
  made.handle.id = BigInt(registry.length - 1);
  return made;
}

// Every change outside a transaction is an undo step of its own; answers come later, as from another process.
function change(work) {
  if (!inTransaction) seen.steps += 1;
  return new Promise((resolve, reject) => setTimeout(() => {
    try { resolve(work()); } catch (error) { reject(error); }
  }, 5));
}

function wav(file) {
  const bytes = fs.readFileSync(file);
  const found = {};
  for (let at = 12; at + 8 <= bytes.length;) {
    const [tag, size] = [bytes.toString("latin1", at, at + 4), bytes.readUInt32LE(at + 4)];
    found[tag] = bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size % 2);
  }
  const [channels, rate] = [found["fmt "].readUInt16LE(2), found["fmt "].readUInt32LE(4)];
  return { channels, rate, data: found.data, frames: found.data.length / channels / 4 };
}

function createClip(clips, args) {
  const { filePath, startTime, duration, isWarped, ...others } = args;
  if (Object.keys(others).length || duration !== undefined) throw new Error("the fake takes no more than is needed");
  if (!seen.imported.includes(filePath)) throw new Error("only files of the project");
  if (!(startTime >= 0) || typeof isWarped !== "boolean") throw new Error("startTime or isWarped");
  const sound = wav(filePath);
  const clip = adopt("AudioClip", { handle: {}, name: path.basename(filePath), color: 0, startTime, warping: isWarped,
    file: filePath, endTime: startTime + sound.frames / sound.rate * scenario.tempo / 60 });
  clips.push(clip);
  return clip;
}

function track(name, file) {
  const made = { handle: {}, name, file, takeLanes: [], arrangementClips: [],
    createTakeLane: () => change(() => {
      const lane = { handle: {}, name: "", clips: [],
        createAudioClip: (args) => change(() => createClip(lane.clips, args)) };
      made.takeLanes.push(adopt("TakeLane", lane));
      return made.takeLanes.at(-1);
    }),
    createAudioClip: (args) => change(() => createClip(made.arrangementClips, args)) };
  return adopt(AudioTrack, made);
}

const tracks = scenario.tracks.map(({ name, file }) => track(name, file));
const song = strict("Song", { handle: {}, tempo: scenario.tempo, rootNote: scenario.scale ? scenario.scale[0] : 0,
  scaleName: scenario.scale ? scenario.scale[1] : "Major", scaleMode: Boolean(scenario.scale),
  createAudioTrack: () => change(() => { tracks.push(track("Audio", null)); return tracks.at(-1); }) });

async function renderPreFxAudio(of, first, last) {
  if (!(of instanceof AudioTrack) || !(last > first)) throw new Error("renderPreFxAudio");
  const sound = wav(of.file);
  const [from, to] = [first, last].map((beat) => Math.round(beat * 60 / scenario.tempo * sound.rate));
  const size = sound.channels * 4;
  const data = Buffer.alloc((to - from) * size);
  sound.data.copy(data, 0, from * size, to * size);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0); head.writeUInt32LE(36 + data.length, 4); head.write("WAVEfmt ", 8); head.writeUInt32LE(16, 16);
  head.writeUInt16LE(3, 20); head.writeUInt16LE(sound.channels, 22); head.writeUInt32LE(sound.rate, 24);
  head.writeUInt32LE(size * sound.rate, 28); head.writeUInt16LE(size, 32); head.writeUInt16LE(32, 34);
  head.write("data", 36); head.writeUInt32LE(data.length, 40);
  const file = path.join(temp, `render ${registry.length}.wav`);
  fs.writeFileSync(file, Buffer.concat([head, data]));
  return file;
}

const context = strict("context", {
  application: strict("Application", { song }),
  environment: strict("Environment", { storageDirectory: scenario.storage, tempDirectory: temp }),
  commands: strict("Commands", { registerCommand: (id, work) => { commands.set(id, work); } }),
  resources: strict("Resources", { renderPreFxAudio, importIntoProject: async (file) => {
    const copy = path.join(project, path.basename(file));
    fs.copyFileSync(file, copy);
    seen.imported.push(copy);
    return copy;
  } }),
  ui: strict("Ui", {
    registerContextMenuAction: async (scope, title, command) => {
      if (scope !== "AudioTrack.ArrangementSelection" || !commands.has(command)) throw new Error("context menu");
      seen.menu.push([title, command]);
    },
    showModalDialog: async (url) => {
      seen.modals.push(decodeURIComponent(url.replace(/^data:text\/html;charset=utf-8,/, "")));
      return "";
    },
    withinProgressDialog: async (text, options, work) => {
      const stop = new AbortController();
      await work(async (said, progress) => {
        seen.dialog.push([said, progress]);
        if (scenario.cancelAt && said.includes(scenario.cancelAt)) stop.abort();
      }, stop.signal);
      finish();
    },
  }),
  getObjectFromHandle: (handle, type) => {
    const found = registry[Number(handle.id)];
    if (!(found instanceof type)) throw new Error("another type");
    return found;
  },
  withinTransaction: (work) => {
    inTransaction += 1;
    seen.steps += 1;
    const answer = work();
    inTransaction -= 1;
    if (answer && answer.then && work.constructor.name === "AsyncFunction") throw new Error("a transaction may not wait");
    return answer;
  },
});

function finish() {
  setTimeout(() => {
    const shown = (clips) => clips.map((clip) => ({ name: clip.name, color: clip.color, startTime: clip.startTime,
      warping: clip.warping, file: clip.file }));
    console.log(JSON.stringify({ ...seen, left: fs.readdirSync(temp), tracks: tracks.map((each) => ({ name: each.name,
      clips: shown(each.arrangementClips), takeLanes: each.takeLanes.map((lane) => ({ name: lane.name,
        clips: shown(lane.clips) })) })) }));
    process.exit(0);
  }, 100); // a modal dialog may follow
}

const sdk = { AudioTrack, initialize: (activation, version) => {
  if (version !== "1.0.0") throw new Error(version);
  return context;
} };
const load = Module._load;
Module._load = (name, ...others) => (name === "@ableton-extensions/sdk" ? sdk : load(name, ...others));
const extension = require(scenario.extension);
extension.activate({ hostApiVersion: "1.0.0" });
const [first, last, chosen] = scenario.selection;
const selection = { time_selection_start: first, time_selection_end: last,
  selected_lanes: chosen.map((i) => tracks[i].handle) };
if (scenario.gesture) extension.perform(context, scenario.gesture, selection);
else commands.get(seen.menu.find(([title]) => title === `Athanor: ${scenario.title}`)[1])(selection);
