// SPDX-License-Identifier: MIT
// Athanor in the context menu of an arrangement selection on audio tracks.

import { initialize } from "@ableton-extensions/sdk";
import type { ActivationContext, ArrangementSelection, ExtensionContext } from "@ableton-extensions/sdk";
import { run } from "./run";
import type { Gesture } from "./run";

const SCOPE = "AudioTrack.ArrangementSelection";

function preset(title: string, name: string): Gesture {
  return { title, route: "preset", fields: { preset: name }, options: {}, together: false };
}

/** The menu, from top to bottom. */
export const GESTURES: readonly Gesture[] = [
  { title: "Fuse two tracks", route: "render/fuse", fields: {}, options: {}, together: true },
  preset("Split into stems", "separate_stems"),
  preset("Four edits as takes", "edit_four"),
  preset("Eight variations", "vary_eight"),
  preset("Clean the room", "restore_room"),
  preset("Take the hiss out", "restore_hiss"),
];

/** What Live calls when it loads the extension. */
export function activate(activation: ActivationContext): void {
  const context = initialize(activation, "1.0.0");
  GESTURES.forEach((gesture, i) => {
    const command = `athanor.${i}`;
    context.commands.registerCommand(command, (argument) => {
      void perform(context, gesture, argument as ArrangementSelection);
    });
    void context.ui.registerContextMenuAction(SCOPE, `Athanor: ${gesture.title}`, command);
  });
}

/** One gesture in its dialog, which can be cancelled; what goes wrong is shown in another. */
export async function perform(context: ExtensionContext, gesture: Gesture, selection: ArrangementSelection): Promise<void> {
  const failed: string[] = [];
  await context.ui.withinProgressDialog(`Athanor: ${gesture.title}`, { progress: 0 }, async (update, signal) => {
    try {
      await run(context, gesture, selection, update, signal);
    } catch (error) {
      failed.push(error instanceof Error ? error.message : String(error));
    }
  });
  if (failed.length) { await context.ui.showModalDialog(page(failed[0]!), 460, 200); }
}

function page(message: string): string {
  const text = message.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;" })[sign] ?? "&gt;");
  const html = `<title>Athanor</title><p style="font:14px sans-serif">${text}</p>`;
  return `data:text/html;charset=utf-8,${encodeURIComponent(html)}`;
}
