import { Buffer } from "node:buffer";
import { join } from "node:path";
import { finder, spellings } from "./leaks.ts";
import { seenCommandLines, watchCommandLines } from "./command_lines.ts";

/** Name of the variable with the folder of a hunt for leaks; `deno task leaks` sets it. */
export const LEAKS_FOLDER = "REKEY_LEAKS";

/** What one box's watch came to; a line of `report.jsonl` in the hunt's folder. */
export interface WatchReport {
  readonly secrets: number;
  readonly commands: number;
  /** Bytes of files, outputs and command lines that were searched for them. */
  readonly bytes: number;
  /** Where a secret was found. Never what it was. */
  readonly hits: readonly string[];
}

/**
 * Looks over the shoulder of the traced binary (`scripts/traced.ts`) while a test runs it: every secret that
 * it made is searched for, in every spelling, in what it printed, in the files of the box's home and its
 * temporary folder, and in the command lines of the machine.
 *
 * What other programs print does not count, nor do the keyring's own files: they are where it belongs.
 */
export class Watch {
  readonly #trace: string;
  readonly #temporary: string;
  readonly #hits = new Set<string>();
  readonly #searched = new Map<string, string>();
  #needles: Buffer[] = [];
  #has = finder([]);
  readonly #outputs: Buffer[] = [];
  #secrets = 0;
  #commands = 0;
  #bytes = 0;

  constructor(private readonly folder: string, private readonly home: string) {
    this.#temporary = Deno.makeTempDirSync({ dir: folder, prefix: "tmp-" });
    this.#trace = `${this.#temporary}.trace`;
  }

  /** A watch for a box, when there is a hunt. */
  static asked(home: string): Watch | undefined {
    const folder = Deno.env.get(LEAKS_FOLDER);
    return folder ? new Watch(folder, home) : undefined;
  }

  /** What the box's commands need in their environment. */
  get env(): Record<string, string> {
    return { REKEY_TRACE: this.#trace, TMPDIR: this.#temporary };
  }

  /** Watches the machine's command lines for as long as `command` runs. */
  async during<T>(command: Promise<T>): Promise<T> {
    const stop = watchCommandLines();
    try {
      return await command;
    } finally {
      stop();
    }
  }

  /** After a command of rekey's: what it printed, and what it left. */
  ended(...outputs: Uint8Array[]): void {
    this.#commands++;
    this.#outputs.push(...outputs.map((bytes) => Buffer.from(bytes)));
    this.#searchFiles();
  }

  /** At the end of the box, while its files are still there. */
  close(): void {
    // All files once more: a secret may have been made after a file was last searched.
    this.#searched.clear();
    this.#searchFiles();
    for (const output of this.#outputs) this.#search("the output of a command", output);
    for (const line of seenCommandLines()) this.#search("a command line", Buffer.from(line));
    const { hits, bytes } = { hits: [...this.#hits], bytes: this.#bytes };
    const report = { secrets: this.#secrets, commands: this.#commands, bytes, hits };
    const line = `${JSON.stringify(report satisfies WatchReport)}\n`;
    Deno.writeTextFileSync(join(this.folder, "report.jsonl"), line, { append: true });
  }

  #searchFiles(): void {
    this.#takeUpTrace();
    for (const folder of [this.home, this.#temporary]) {
      for (const path of filesBelow(folder)) this.#searchFile(path);
    }
  }

  #takeUpTrace(): void {
    const made = tracedIn(this.#trace);
    if (made.length === this.#secrets) return;
    this.#needles = [...this.#needles, ...made.slice(this.#secrets).flatMap(spellings)];
    this.#has = finder(this.#needles);
    this.#secrets = made.length;
  }

  // A command that runs meanwhile may take a file away.
  #searchFile(path: string): void {
    if (path.includes("/keyrings/")) return;
    try {
      const { size, mtime } = Deno.statSync(path);
      const state = `${size} ${mtime?.getTime()}`;
      if (this.#searched.get(path) === state) return;
      this.#search(path.replace(this.home, "~"), Buffer.from(Deno.readFileSync(path)));
      this.#searched.set(path, state);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #search(place: string, bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#has(bytes)) this.#hits.add(place);
  }
}

/** The secrets that the traced binary wrote to a file. */
export function tracedIn(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Paths of the files below a folder that may be changing. */
export function* filesBelow(folder: string): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isDirectory, isFile } of entries) {
    const path = join(folder, name);
    if (isDirectory) yield* filesBelow(path);
    else if (isFile) yield path;
  }
}
