// SPDX-License-Identifier: MIT
// Results into the set: each on a take lane of its track, or on a new track; unwarped, at its beat, and looked at again.

import { promises as fs } from "node:fs";
import * as path from "node:path";
import type { AudioTrack, ExtensionContext, TakeLane } from "@ableton-extensions/sdk";
import type { Bridge, Json } from "./bridge";

const NEAR = 1e-5; // beats: a quarter of a sample at 120 bpm and 48 kHz

export interface Result {
  readonly file: string;
  readonly beats: number;
  readonly name: string;
  readonly colour: number | null;
}

/** What a `done` event and its record say; the sound is copied into the project. Beats of the record, else of `tempo`. */
export async function fetchResult(context: ExtensionContext, bridge: Bridge, done: Json, folder: string): Promise<Result> {
  const record = JSON.parse((await bridge.get(String(done.record))).toString("utf8")) as Json;
  const copy = path.join(folder, path.basename(String(done.file)));
  await fs.writeFile(copy, await bridge.get(String(done.file)));
  const file = await context.resources.importIntoProject(copy);
  await fs.rm(copy, { force: true });
  const beats = typeof record.start_beats === "number" ? record.start_beats
    : Number(done.start_seconds) * context.application.song.tempo / 60;
  const colour = Number.parseInt(String(record.colour ?? "").slice(1), 16);
  return { file, beats, name: String(record.name || done.role), colour: Number.isNaN(colour) ? null : colour };
}

/** Places results; the words say where. Three undo steps, as a step cannot wait for what it makes: the lanes or tracks, the
 *  clips, and their names and colours. */
export async function place(context: ExtensionContext, results: readonly Result[],
  track: AudioTrack | null): Promise<string> {
  const song = context.application.song;
  const parents: readonly (TakeLane | AudioTrack)[] = await context.withinTransaction(() => Promise.all(
    results.map((): Promise<TakeLane | AudioTrack> => track ? track.createTakeLane() : song.createAudioTrack())));
  const clips = await context.withinTransaction(() => Promise.all(results.map((result, i) =>
    parents[i]!.createAudioClip({ filePath: result.file, startTime: result.beats, isWarped: false }))));
  context.withinTransaction(() => clips.forEach((clip, i) => {
    parents[i]!.name = clip.name = results[i]!.name;
    if (results[i]!.colour !== null) { clip.color = results[i]!.colour!; }
  }));
  clips.forEach((clip, i) => {
    if (clip.warping || Math.abs(clip.startTime - results[i]!.beats) >= NEAR) {
      throw new Error(`${results[i]!.name} is not where it belongs, or is warped; undo, or move it by hand.`);
    }
  });
  const tracks = results.map((result) => `track ${result.name}`).join(", ");
  return track ? `Live, take lanes of ${track.name}` : `Live, ${tracks}`;
}
