import { Buffer } from "node:buffer";
import { HERE } from "../system/here.ts";
import { forEachPiece } from "./descriptors.ts";

/** A process, told from another one that gets its number later. */
export interface ProcessId {
  /** Where the number counts: one start of the system, and one namespace of process numbers in it (pid_namespaces(7)). */
  readonly place: string;
  readonly pid: number;
  /** When it started, in clock ticks since the system did (field 22 of proc_pid_stat(5)). */
  readonly started: number;
}

/** Whether a process still runs; `unknown` when it belongs to a container that cannot be looked into from here. */
export type Life = "runs" | "gone" | "unknown";

/** What the system says of processes. */
export class Processes {
  readonly #place = place();

  /** A process that runs; `undefined` for one that does not, and where the system does not tell. */
  identify(pid: number): ProcessId | undefined {
    const found = this.#place && stat(pid);
    if (!found || ENDED.includes(found.state)) return undefined;
    return { place: this.#place!, pid, started: found.started };
  }

  lifeOf({ place, pid, started }: ProcessId): Life {
    if (this.#place === undefined) return "unknown";
    if (place === this.#place) return this.identify(pid)?.started === started ? "runs" : "gone";
    // No process outlives its system.
    return bootOf(place) === bootOf(this.#place) ? "unknown" : "gone";
  }
}

// Zombies and the dead hold nothing any more.
const ENDED: readonly string[] = ["Z", "X", "x"];

function stat(pid: number): { state: string; started: number } | undefined {
  const text = processText(`/proc/${pid}/stat`);
  // The program's name stands in brackets and may hold anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields?.[19]);
  return fields === undefined || !Number.isSafeInteger(started)
    ? undefined
    : { state: fields[0]!, started };
}

function place(): string | undefined {
  const boot = processText("/proc/sys/kernel/random/boot_id")?.trim();
  if (boot === undefined || stat(Deno.pid) === undefined) return undefined;
  return `${boot} ${namespace()}`;
}

// Its number tells it from others; each container has one of its own.
function namespace(): string {
  try {
    return String(Deno.statSync("/proc/self/ns/pid").ino);
  } catch {
    return "";
  }
}

const bootOf = (place: string) => place.split(" ")[0];

const AT_ONCE = { first: 0, next: 0 };

/** A text below `/proc`; `undefined` when there is none. */
export function processText(path: string): string | undefined {
  const pieces: Uint8Array[] = [];
  const take = (piece: Uint8Array) => void pieces.push(piece);
  const end = HERE.streams.withDescriptor(path, (fd) => forEachPiece(fd, AT_ONCE, take));
  return end === "ended" ? Buffer.concat(pieces).toString("latin1") : undefined;
}
