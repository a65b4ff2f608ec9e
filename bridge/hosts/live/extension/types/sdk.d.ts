// SPDX-License-Identifier: MIT
// The calls of Ableton's Extensions SDK (API 1.0.0) that Athanor uses, declared by ourselves from public descriptions: the
// SDK may not be handed on. Nothing else of it may be used here, so that a missing declaration is an error.

export interface Handle { readonly id: bigint }
export interface ActivationContext { readonly hostApiVersion: string }
export interface ArrangementSelection {
  readonly time_selection_start: number;
  readonly time_selection_end: number;
  readonly selected_lanes: readonly Handle[];
}
export interface AudioClipArguments {
  readonly filePath: string;
  readonly startTime: number;
  readonly duration?: number;
  readonly isWarped?: boolean;
}

export class DataModelObject { readonly handle: Handle }
export class AudioClip extends DataModelObject {
  name: string;
  color: number;
  warping: boolean;
  readonly startTime: number;
}
export class TakeLane extends DataModelObject {
  name: string;
  createAudioClip(args: AudioClipArguments): Promise<AudioClip>;
}
export class Track extends DataModelObject {
  name: string;
  createTakeLane(): Promise<TakeLane>;
}
export class AudioTrack extends Track {
  createAudioClip(args: AudioClipArguments): Promise<AudioClip>;
}
export class Song extends DataModelObject {
  readonly tempo: number;
  readonly rootNote: number;
  readonly scaleName: string;
  readonly scaleMode: boolean;
  createAudioTrack(): Promise<AudioTrack>;
}

export interface ExtensionContext {
  readonly application: { readonly song: Song };
  readonly commands: { registerCommand(id: string, run: (argument: unknown) => void): void };
  readonly environment: { readonly storageDirectory: string | undefined; readonly tempDirectory: string | undefined };
  readonly resources: {
    importIntoProject(filePath: string): Promise<string>;
    renderPreFxAudio(track: AudioTrack, startTime: number, endTime: number): Promise<string>;
  };
  readonly ui: {
    registerContextMenuAction(scope: "AudioTrack.ArrangementSelection", title: string, command: string): Promise<unknown>;
    showModalDialog(url: string, width: number, height: number): Promise<string>;
    withinProgressDialog(text: string, options: { progress: number },
      work: (update: (text: string, progress?: number) => Promise<void>,
        signal: AbortSignal) => Promise<void>): Promise<unknown>;
  };
  getObjectFromHandle<T extends DataModelObject>(handle: Handle, type: abstract new (...args: never[]) => T): T;
  withinTransaction<T>(work: () => T): T;
}

export function initialize(activation: ActivationContext, version: "1.0.0"): ExtensionContext;
