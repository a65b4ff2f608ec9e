// SPDX-License-Identifier: MIT
// The bridge over loopback HTTP, by Node's own `http`: URL, Blob and FormData are missing in Live's JavaScript.

import { promises as fs } from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";

const PREFIX = "/athanor/v1";
const HERE = "127.0.0.1";
const FILE = "connection.json";

export type Json = Record<string, unknown>;
export interface BridgeEvent { readonly name: string; readonly data: Json }
interface Connection { readonly http_port: number; readonly token: string }

/** What the bridge refused, or why it is not there; the message is for people. */
export class BridgeError extends Error {}

/** Where the bridge says how to reach it: its data folder, as on each system, and the extension's own folder. */
export function connectionFiles(storage: string | undefined): string[] {
  const home = os.homedir();
  const data = process.env.ATHANOR_HOME
    ?? (process.platform === "darwin" ? path.join(home, "Library", "Application Support", "athanor")
      : process.platform === "win32" ? path.join(process.env.LOCALAPPDATA ?? path.join(home, "AppData", "Local"), "athanor")
        : path.join(process.env.XDG_DATA_HOME ?? path.join(home, ".local", "share"), "athanor"));
  return [path.join(data, "bridge", FILE), ...(storage ? [path.join(storage, FILE)] : [])];
}

/** The bridge of this person; BridgeError where none has been started yet. */
export async function findBridge(client: string, storage: string | undefined): Promise<Bridge> {
  const files = connectionFiles(storage);
  for (const file of files) {
    try {
      return new Bridge(client, JSON.parse(await fs.readFile(file, "utf8")) as Connection);
    } catch {
      continue;
    }
  }
  throw new BridgeError(`No bridge was found: start it with "athanor up". If it runs, Live may not read ${files[0]}; copy `
    + `that file to ${files[1] ?? "the extension's storage folder"}.`);
}

export class Bridge {
  private count = 0;
  private readonly begun = Date.now().toString(36);

  constructor(readonly client: string, private readonly connection: Connection) {}

  nextId(): string {
    this.count += 1;
    return `${this.client}-${this.begun}-${this.count}`;
  }

  /** A request of the table; its answer, or a BridgeError with the bridge's words. */
  async ask(name: string, fields: Json, options: Json = {}): Promise<Json> {
    const body = JSON.stringify({ request: this.nextId(), ...fields, options: { ...options, client: this.client } });
    return this.answered("POST", `${PREFIX}/${name}`, Buffer.from(body, "utf8"), "application/json");
  }

  /** Say who we are; there are no requests before that. */
  async hello(): Promise<Json> {
    const body = JSON.stringify({ client: this.client, name: "Ableton Live" });
    return this.answered("POST", `${PREFIX}/hello`, Buffer.from(body, "utf8"), "application/json");
  }

  async put(name: string, data: Buffer): Promise<void> {
    await this.answered("PUT", `${PREFIX}/files/${encoded(name)}`, data, "audio/wav");
  }

  async get(name: string): Promise<Buffer> {
    const [status, data] = await this.send("GET", `${PREFIX}/files/${encoded(name)}`);
    if (status !== 200) { throw refused(status, data); }
    return data;
  }

  /** Events of this client, from now until `signal`; ends that nobody has acknowledged come first. */
  async *events(signal: AbortSignal): AsyncGenerator<BridgeEvent> {
    const target = `${PREFIX}/events?client=${encodeURIComponent(this.client)}`;
    const response = await this.open("GET", target, undefined, "", signal);
    if (response.statusCode !== 200) { throw refused(response.statusCode ?? 0, await whole(response)); }
    response.setEncoding("utf8");
    let text = "";
    try {
      for await (const chunk of response) {
        text += String(chunk);
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const event of blocks.map(read)) {
          if (event) { yield event; }
        }
      }
    } catch (error) {
      if (!signal.aborted) { throw gone(String(error)); }
    }
    if (!signal.aborted) { throw gone("its stream has ended"); }
  }

  private async answered(method: string, target: string, data: Buffer, type: string): Promise<Json> {
    const [status, body] = await this.send(method, target, data, type);
    if (status >= 300) { throw refused(status, body); }
    return body.length ? JSON.parse(body.toString("utf8")) as Json : {};
  }

  private async send(method: string, target: string, data?: Buffer, type = ""): Promise<[number, Buffer]> {
    const response = await this.open(method, target, data, type);
    return [response.statusCode ?? 0, await whole(response)];
  }

  private open(method: string, target: string, data?: Buffer, type = "",
    signal?: AbortSignal): Promise<http.IncomingMessage> {
    const headers: http.OutgoingHttpHeaders = { Authorization: `Bearer ${this.connection.token}` };
    if (data) {
      headers["Content-Type"] = type;
      headers["Content-Length"] = data.length;
    }
    return new Promise((resolve, reject) => {
      const request = http.request({ host: HERE, port: this.connection.http_port, method, path: target, headers, signal,
        agent: false }, resolve);
      request.on("error", (error) => {
        reject(new BridgeError(`The bridge does not answer (${error.message}): start it with "athanor up".`));
      });
      request.end(data);
    });
  }
}

function gone(why: string): BridgeError {
  return new BridgeError(`The bridge has gone (${why}). Start it with "athanor up": the job goes on, and its results are `
    + "placed with the next ones.");
}

function encoded(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

async function whole(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) { chunks.push(chunk as Buffer); }
  return Buffer.concat(chunks);
}

function refused(status: number, body: Buffer): BridgeError {
  try {
    return new BridgeError(String((JSON.parse(body.toString("utf8")) as Json).message));
  } catch {
    return new BridgeError(`The bridge answered with status ${status}.`);
  }
}

/** One block of a server-sent stream; null for comments and for what only sets the time between tries. */
function read(block: string): BridgeEvent | null {
  const lines = block.split("\n");
  const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
  return name && data ? { name, data: JSON.parse(data) as Json } : null;
}
