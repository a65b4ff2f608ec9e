// SPDX-License-Identifier: GPL-3.0-or-later
// A FAKE of Max around one [js] object, for tests: no Max is behind it. It has the names of Max 8's [js] that our scripts
// use, as Cycling '74's reference gives them, refuses every other, and speaks real OSC over UDP where the patch has
// [udpsend] and [udpreceive]. It is no ES5 engine; a test looks for newer words.
//
//   node fake_max.js SCENARIO.json
//
// SCENARIO: script, folders (where its files lie), bridge (port), args ([js] arguments), first (messages at the start),
// steps ([{after: pattern, say: [message, ...]}]: each once, in turn), until (pattern), settleMs, limitMs, buffers ({name:
// {frames, channels, rate}}), set (a Live Set, see fake_live.js). Patterns are looked for in what leaves the outlets, as
// "outlet: words". Prints {out, sent, sounds, live}.
"use strict";
const dgram = require("dgram");
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const scenario = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const seen = { out: [], sent: [], sounds: [], errors: [] };
const steps = scenario.steps || [];
let socket = null;

function padded(text) {
  const bytes = Buffer.from(text + "\0", "utf8");
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function encode(address, values) {
  const parts = values.map((value) => {
    if (typeof value === "string") return ["s", padded(value)];
    const bytes = Buffer.alloc(4);
    if (Number.isInteger(value)) return bytes.writeInt32BE(value), ["i", bytes];
    return bytes.writeFloatBE(value), ["f", bytes];
  });
  const tags = padded("," + parts.map((part) => part[0]).join(""));
  return Buffer.concat([padded(address), tags, ...parts.map((part) => part[1])]);
}

function decode(packet) {
  let at = 0;
  const text = () => {
    const end = packet.indexOf(0, at);
    const value = packet.toString("utf8", at, end);
    at = end + 4 - (end % 4);
    return value;
  };
  const address = text();
  return [address, ...[...text().slice(1)].map((tag) => {
    if (tag === "s") return text();
    at += 4;
    return tag === "i" ? packet.readInt32BE(at - 4) : packet.readFloatBE(at - 4);
  })];
}

// [udpreceive] of the patch: `port` binds it anew; a port in use stays silent, as in Max.
function listen(port) {
  if (socket && socket.port === port) return;
  if (socket) socket.close();
  socket = dgram.createSocket("udp4");
  socket.port = port;
  socket.on("error", () => {});
  socket.on("message", (packet) => say(decode(packet)));
  socket.bind(port, "127.0.0.1");
}

const sender = dgram.createSocket("udp4");

function atoms(values) {
  const flat = values.flatMap((value) => (Array.isArray(value) ? atoms(value) : [value]));
  flat.forEach((value) => {
    if (!["string", "number"].includes(typeof value) || Number.isNaN(value)) throw new Error(`${value} is no atom`);
  });
  return flat;
}

function outlet(number, ...values) {
  if (!(number >= 0 && number < world.outlets)) throw new Error(`no outlet ${number}`);
  const message = atoms(values);
  if (number === 0) {
    seen.sent.push(message);
    sender.send(encode(message[0], message.slice(1)), scenario.bridge, "127.0.0.1");
  } else if (number === 1) {
    listen(message[1]);
  }
  if (number !== 0) seen.out.push([number, ...message]);
  const line = `${number}: ${message.join(" ")}`;
  if (scenario.until && line.match(scenario.until)) setTimeout(finish, scenario.settleMs || 300);
  if (steps.length && line.match(steps[0].after)) {
    const step = steps.shift();
    setTimeout(() => step.say.forEach(say), 20);
  }
}

// A message at the object's inlet: to the function of its name, else to `anything`.
function say([selector, ...values]) {
  world.messagename = selector;
  const heard = typeof world[selector] === "function" && !native.has(selector) ? world[selector] : world.anything;
  try {
    heard.apply(world, values);
  } catch (error) {
    broken(error);
  }
}

function broken(error) {
  seen.errors.push(String(error.stack));
  finish();
}

class Task {
  constructor(work, object) {
    this.work = work;
    this.object = object;
    this.interval = 500;
  }
  repeat() { this.cancel(); this.timer = setInterval(() => this.execute(), this.interval); this.execute(); }
  schedule(delay) { this.cancel(); this.timer = setTimeout(() => this.execute(), delay || 0); }
  execute() {
    try { this.work.call(this.object); } catch (error) { broken(error); }
  }
  cancel() { clearInterval(this.timer); }
}

class File {
  constructor(name, access) {
    this.isopen = access === "read" && fs.existsSync(name) ? 1 : 0;
    this.bytes = this.isopen ? fs.readFileSync(name) : Buffer.alloc(0);
    this.eof = this.bytes.length;
    this.position = 0;
  }
  readstring(count) {
    const text = this.bytes.toString("latin1", this.position, this.position + count);
    this.position = Math.min(this.position + count, this.eof);
    return text;
  }
  close() { this.isopen = 0; }
}

// A buffer~; it is written a moment later, in two parts.
class FakeBuffer {
  constructor(name) {
    this.of = (scenario.buffers || {})[name] || { frames: 0, channels: 0, rate: 48000 };
    this.sample = "int16";
  }
  framecount() { return this.of.frames; }
  channelcount() { return this.of.channels; }
  send(message, value) {
    if (message === "samptype") { this.sample = value; return; }
    if (message !== "writewave") throw new Error(`buffer~ knows no ${message}`);
    const { frames, channels, rate } = this.of;
    if (this.sample !== "float32") throw new Error("not written as float32");
    const data = Buffer.alloc(4 * frames * channels);
    for (let i = 0; i < frames * channels; i++) data.writeFloatLE((i % 1000) / 2000, 4 * i);
    const head = Buffer.alloc(44);
    head.write("RIFF", 0); head.writeUInt32LE(36 + data.length, 4); head.write("WAVEfmt ", 8);
    head.writeUInt32LE(16, 16); head.writeUInt16LE(3, 20); head.writeUInt16LE(channels, 22); head.writeUInt32LE(rate, 24);
    head.writeUInt32LE(4 * channels * rate, 28); head.writeUInt16LE(4 * channels, 32); head.writeUInt16LE(32, 34);
    head.write("data", 36); head.writeUInt32LE(data.length, 40);
    fs.writeFileSync(value, head);
    setTimeout(() => fs.appendFileSync(value, data), 250);
    seen.sounds.push(value);
  }
}

function load(name) {
  const file = scenario.folders.map((folder) => path.join(folder, name)).find((each) => fs.existsSync(each));
  const text = `(function (exports, require) {${fs.readFileSync(file, "utf8")}\n})`;
  const wrapped = vm.runInContext(text, world, { filename: file });
  const made = {};
  wrapped(made, load);
  return made;
}

const world = { outlet, Task, File, Buffer: FakeBuffer, require: load, arrayfromargs: (values) => Array.from(values),
  jsarguments: [path.basename(scenario.script), ...(scenario.args || [])], post: () => {}, inlets: 1, outlets: 1 };
const native = new Set(Object.keys(world));
let live = null;
if (scenario.set) {
  live = require(path.join(__dirname, "..", "live", "fake_live.js")).live(scenario.set);
  world.LiveAPI = live.LiveAPI;
}

function finish() {
  console.log(JSON.stringify({ ...seen, live: live ? live.summary() : null }));
  process.exit(0);
}

vm.createContext(world);
vm.runInContext(fs.readFileSync(scenario.script, "utf8"), world, { filename: scenario.script });
(scenario.first || [["loadbang"]]).forEach(say);
setTimeout(() => {
  seen.errors.push(`nothing like ${scenario.until} came`);
  finish();
}, scenario.limitMs || 100000);
