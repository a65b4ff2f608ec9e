// SPDX-License-Identifier: GPL-3.0-or-later
// A FAKE of Bitwig Studio's controller interface, for tests: no Bitwig is behind it. It has the names that our script uses,
// as the public typings of the interface give them (typed-bitwig-api 17), refuses every other, checks arguments, and speaks
// real OSC over UDP. Its launcher is one track; a slot takes a file that exists, a moment after it was told to.
//
//   node fake_bitwig.js SCENARIO.json
//
// SCENARIO: script, bridge and own (ports), slots (how many there are), full and selected (slot numbers from 0), settings
// ({what, clips, options}), press (Render or Cancel, or none; when the script says that it is ready, or pressAfterMs after its
// start), cancelAfter (a text in a notice, then Cancel is pressed), until (a text in a notice, after which it ends), limitMs.
// Prints {slots, notices, errors, sent} as JSON.
"use strict";
const dgram = require("dgram");
const fs = require("fs");
const vm = require("vm");

const scenario = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const seen = { slots: {}, notices: [], errors: [], sent: [], started: false };
const signals = {};

function strict(name, members) {
  return new Proxy(members, {
    get(target, key) {
      if (typeof key === "symbol" || key in target) return target[key];
      throw new Error(`${name}.${String(key)} is nothing that the fake knows`);
    },
  });
}

function takes(kinds, work) {
  return (...values) => {
    if (values.length !== kinds.length) throw new Error(`${kinds.length} arguments, not ${values.length}`);
    kinds.forEach((kind, i) => {
      if (kind !== "any" && typeof values[i] !== kind) throw new Error(`argument ${i + 1} is no ${kind}: ${values[i]}`);
    });
    return work(...values);
  };
}

// A value that may only be read after the script said during init that it wants to, as in Bitwig.
function observed(name, read, getter = "get") {
  let interested = false;
  return strict(name, {
    markInterested() {
      if (seen.started) throw new Error(`${name}.markInterested after init`);
      interested = true;
    },
    [getter]() {
      if (!interested) throw new Error(`${name} was not marked as of interest`);
      return read();
    },
  });
}

function slot(index) {
  const full = new Set(scenario.full || []);
  const content = observed("hasContent", () => full.has(index) || (seen.slots[index] || {}).taken === true);
  const selected = observed("isSelected", () => index === (scenario.selected || 0));
  return strict("ClipLauncherSlot", {
    hasContent: () => content,
    isSelected: () => selected,
    replaceInsertionPoint: () => strict("InsertionPoint", {
      insertFile: takes(["string"], (path) => {
        seen.slots[index] = { path, taken: false };
        setTimeout(() => { seen.slots[index].taken = fs.existsSync(path); }, 100);
      }),
    }),
  });
}

const count = scenario.slots || 8;
const slots = [];
const bank = strict("ClipLauncherSlotBank", { getItemAt: takes(["number"], (i) => slots[i]) });
const trackName = observed("name", () => "Keys");
const track = strict("CursorTrack", { name: () => trackName, clipLauncherSlotBank: () => bank });
const tempo = observed("tempo", () => 97.5, "getRaw");
const parameter = strict("Parameter", { value: () => tempo });
const labels = { "Kind, or preset NAME": "what", "Clips (a.wav; b.wav)": "clips", "Options (@name value)": "options" };

const documentState = strict("DocumentState", {
  getStringSetting: takes(["string", "string", "number", "string"], (label) =>
    observed(label, () => scenario.settings[labels[label]] || "")),
  getSignalSetting: takes(["string", "string", "string"], (label, category, action) =>
    strict("Signal", { addSignalObserver: takes(["function"], (work) => { signals[action] = work; }) })),
});

// OSC, as far as the messages go: i, f and s.
function encode(address, values) {
  const text = (value) => {
    const bytes = Buffer.from(value + "\0", "utf8");
    return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  };
  return Buffer.concat([text(address), text("," + values.map(() => "s").join("")), ...values.map(text)]);
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
  const values = [...text().slice(1)].map((tag) => {
    if (tag === "s") return text();
    at += 4;
    return tag === "i" ? packet.readInt32BE(at - 4) : packet.readFloatBE(at - 4);
  });
  const typed = (kind) => takes(["number"], (i) => {
    if (typeof values[i] !== kind) throw new Error(`${address}: argument ${i} is no ${kind}`);
    return values[i];
  });
  return strict("OscMessage", { getAddressPattern: () => address, getString: typed("string"), getInt: typed("number"),
    getFloat: typed("number") });
}

const socket = dgram.createSocket("udp4");
const osc = strict("OscModule", {
  createAddressSpace: () => {
    const space = { receive: null };
    return strict("OscAddressSpace", { space, registerDefaultMethod: takes(["function"], (work) => { space.receive = work; }) });
  },
  createUdpServer: takes(["number", "object"], (port, made) => {
    if (port !== scenario.own) throw new Error(`port ${port}`);
    socket.on("message", (packet) => made.space.receive(null, decode(packet)));
    socket.bind(port, "127.0.0.1");
  }),
  connectToUdpServer: takes(["string", "number", "object"], (address, port) => strict("OscConnection", {
    sendMessage(target, ...values) {
      values.forEach((value) => { if (typeof value !== "string") throw new Error(`${target}: ${value} is no text`); });
      seen.sent.push([target, ...values]);
      socket.send(encode(target, values), port, address);
    },
  })),
});

const host = strict("ControllerHost", {
  defineController: takes(["string", "string", "string", "string", "string"], () => {}),
  createTransport: () => strict("Transport", { tempo: () => parameter }),
  createCursorTrack: takes(["string", "string", "number", "number", "boolean"], (id, name, sends, scenes) => {
    for (let i = 0; i < scenes; i++) slots.push(i < count ? slot(i) : beyond());
    return track;
  }),
  getDocumentState: () => documentState,
  getOscModule: () => osc,
  scheduleTask: takes(["function", "number"], (work, ms) => setTimeout(work, ms)),
  showPopupNotification: takes(["string"], (text) => {
    seen.notices.push(text);
    if (scenario.cancelAfter && text.includes(scenario.cancelAfter)) {
      scenario.cancelAfter = "";
      signals.Cancel();
    }
    if (text.match(scenario.until)) setTimeout(finish, 300); // what was sent has left by then
  }),
  errorln: takes(["string"], (text) => seen.errors.push(text)),
});

// A slot of the bank that no scene stands behind: neither empty nor selected.
function beyond() {
  const yes = observed("hasContent", () => true);
  const no = observed("isSelected", () => false);
  return strict("ClipLauncherSlot", { hasContent: () => yes, isSelected: () => no });
}

function finish() {
  console.log(JSON.stringify(seen));
  process.exit(0);
}

let pressed = false;
function press() {
  if (scenario.press && !pressed) signals[scenario.press]();
  pressed = true;
}

const println = takes(["string"], (text) => { if (text.includes("ready") && !scenario.pressAfterMs) setTimeout(press, 0); });
const world = { host, println, loadAPI: takes(["number"], () => {}) };
vm.createContext(world);
vm.runInContext(fs.readFileSync(scenario.script, "utf8").replace("BRIDGE_PORT = 9101", `BRIDGE_PORT = ${scenario.bridge}`)
  .replace("OWN_PORT = 9103", `OWN_PORT = ${scenario.own}`), world, { filename: scenario.script });
vm.runInContext("init()", world);
seen.started = true;
if (scenario.pressAfterMs) setTimeout(press, scenario.pressAfterMs);
setTimeout(finish, scenario.limitMs || 60000);
