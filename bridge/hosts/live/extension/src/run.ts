// SPDX-License-Identifier: MIT
// One gesture: the selection is rendered by Live, sent, rendered by Athanor, and its results are placed beside it.

import { promises as fs } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { AudioTrack } from "@ableton-extensions/sdk";
import type { ArrangementSelection, ExtensionContext } from "@ableton-extensions/sdk";
import { findBridge } from "./bridge";
import type { Bridge, Json } from "./bridge";
import { fetchResult, place } from "./place";

const CLIENT = "live-extension";
const NOTES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"];

export interface Gesture {
  readonly title: string;
  /** A route of the table without its prefix: `preset`, or `render/KIND`. */
  readonly route: string;
  readonly fields: Json;
  /** What goes with it as @options. */
  readonly options: Json;
  /** Whether all selected tracks go into one job; else each has its own. */
  readonly together: boolean;
}

type Update = (text: string, progress?: number) => Promise<void>;

/** Runs a gesture on every selected audio track. Errors are for people. */
export async function run(context: ExtensionContext, gesture: Gesture, selection: ArrangementSelection,
  update: Update, signal: AbortSignal): Promise<void> {
  const tracks = selection.selected_lanes.map((handle) => context.getObjectFromHandle(handle, AudioTrack));
  if (tracks.length === 0) { throw new Error("Select a stretch of time on an audio track."); }
  if (gesture.together && tracks.length !== 2) {
    throw new Error(`Select two audio tracks: the upper gives the shape, the lower what to fuse it with. ${tracks.length} `
      + "is selected.");
  }
  const bridge = await findBridge(CLIENT, context.environment.storageDirectory);
  await bridge.hello();
  for (const job of gesture.together ? [tracks] : tracks.map((track) => [track])) {
    if (signal.aborted) { return; }
    await select(context, bridge, job, selection, update);
    await render(context, bridge, gesture, job[0]!, update, signal);
  }
}

/** The tracks' sound in the selected time, as Live renders it: warped, trimmed, consolidated, before the effects. */
async function select(context: ExtensionContext, bridge: Bridge, tracks: readonly AudioTrack[],
  selection: ArrangementSelection, update: Update): Promise<void> {
  await bridge.ask("clip/clear", {});
  for (const track of tracks) {
    await update(`Rendering ${track.name}`, 0);
    const sound = await context.resources.renderPreFxAudio(track, selection.time_selection_start,
      selection.time_selection_end);
    const name = `clips/${bridge.nextId()}.wav`;
    await bridge.put(name, await fs.readFile(sound));
    await fs.rm(sound, { force: true });
    await bridge.ask("clip/add", { file: name }, { start_beats: selection.time_selection_start, track: track.name,
      start_s: selection.time_selection_start * 60 / context.application.song.tempo });
  }
}

async function render(context: ExtensionContext, bridge: Bridge, gesture: Gesture, track: AudioTrack, update: Update,
  signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  try {
    const events = bridge.events(done.signal);
    const song = context.application.song;
    const options: Json = { lane: "take_lane", tempo: song.tempo, ...gesture.options };
    if (song.scaleMode) { options.key = `${NOTES[song.rootNote]} ${song.scaleName.toLowerCase()}`; }
    const { job } = await bridge.ask(gesture.route, gesture.fields, options);
    const cancel = (): void => { bridge.ask("job/cancel", { job }).catch(() => undefined); };
    signal.addEventListener("abort", cancel);
    if (signal.aborted) { cancel(); }
    await follow(context, bridge, String(job), gesture.title, track, events, update);
    signal.removeEventListener("abort", cancel);
  } finally {
    done.abort();
  }
}

/** Until the job has ended: shows its progress, places its results, and those of jobs that ended while Live was closed. */
async function follow(context: ExtensionContext, bridge: Bridge, job: string, title: string, track: AudioTrack,
  events: AsyncIterable<{ name: string; data: Json }>, update: Update): Promise<void> {
  const gathered = new Map<string, Map<number, Json>>();
  for await (const { name, data } of events) {
    const of = String(data.job);
    if (name === "progress" && of === job) {
      await update(`${title}: ${String(data.phase)}${steps(data)}`, Math.round(100 * Number(data.fraction)));
    } else if (name === "done" && !(gathered.get(of)?.size === Number(data.count))) {
      const parts = gathered.get(of) ?? new Map<number, Json>();
      gathered.set(of, parts.set(Number(data.index), data));
      if (parts.size < Number(data.count)) { continue; }
      if (of === job) {
        await placeAll(context, bridge, of, [...parts.values()], track);
        return;
      }
      // What cannot be placed of an earlier job is told again with the next one, and must not stop this one.
      await placeAll(context, bridge, of, [...parts.values()], null).catch(() => undefined);
    } else if (name === "failed" || name === "cancelled") {
      await bridge.ask("job/ack", { job: of });
      if (of !== job) { continue; }
      if (name === "failed") { throw new Error(String(data.message)); }
      return;
    }
  }
}

function steps(progress: Json): string {
  const left = Number(progress.eta_s) > 0 ? `, ${Math.ceil(Number(progress.eta_s))} s left` : "";
  return Number(progress.steps) > 0 ? ` ${String(progress.step)}/${String(progress.steps)}${left}` : "";
}

async function placeAll(context: ExtensionContext, bridge: Bridge, job: string, parts: readonly Json[],
  track: AudioTrack | null): Promise<void> {
  const folder = await fs.mkdtemp(path.join(context.environment.tempDirectory ?? os.tmpdir(), "athanor-"));
  try {
    const sounds = parts.filter((part) => Number(part.index) > 0).sort((a, b) => Number(a.index) - Number(b.index));
    const results = await Promise.all(sounds.map((part) => fetchResult(context, bridge, part, folder)));
    const where = results.length ? await place(context, results, track) : "Live, nothing to place";
    await bridge.ask("job/placed", { job }, { where });
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}
