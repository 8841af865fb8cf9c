import { join } from "node:path";
import type { ReceivedRow, Receiver } from "./receiver.ts";

/** A file of JSON lines that is moved away again and again, with a folder in its place meanwhile. */
export class MovedFile implements Receiver {
  readonly name = "file";
  readonly sink: string;
  #moved = 0;

  constructor(private readonly folder: string) {
    Deno.mkdirSync(folder, { recursive: true });
    this.sink = join(folder, "audit.jsonl");
  }

  leave(): Promise<void> {
    try {
      Deno.renameSync(this.sink, `${this.sink}.${++this.#moved}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    try {
      Deno.mkdirSync(this.sink);
    } catch (error) {
      // rekey has made it again in this moment: it was a rotation without an outage.
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    return Promise.resolve();
  }

  comeBack(): Promise<void> {
    if (Deno.lstatSync(this.sink).isDirectory) Deno.removeSync(this.sink);
    return Promise.resolve();
  }

  received(): Promise<ReceivedRow[]> {
    const numbers = Array.from({ length: this.#moved }, (_, index) => `${this.sink}.${index + 1}`);
    const texts = [...numbers, this.sink].map(textOf);
    for (const text of texts) {
      if (text !== "" && !text.endsWith("\n")) throw new Error("A file ends in half a line");
    }
    const lines = texts.join("").split("\n").slice(0, -1);
    return Promise.resolve(lines.map((line) => JSON.parse(line)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
