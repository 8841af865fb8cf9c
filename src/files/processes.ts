import { HERE } from "../system/here.ts";
import type { Identities } from "../system/system.ts";

/** A process, told from another one that gets its number later. */
export interface ProcessId {
  /** Where the number counts: see {@linkcode Identities.place}. */
  readonly place: string;
  readonly pid: number;
  /** When it started: see {@linkcode Identities.startOf}. */
  readonly started: number;
}

/** Whether a process still runs; `unknown` when it belongs to a container that cannot be looked into from here. */
export type Life = "runs" | "gone" | "unknown";

/** What the system says of processes. */
export class Processes {
  readonly #place: string | undefined;

  constructor(private readonly identities: Identities = HERE.processes.identities) {
    this.#place = identities.place();
  }

  /** A process that runs; `undefined` for one that does not, and where the system does not tell. */
  identify(pid: number): ProcessId | undefined {
    if (this.#place === undefined) return undefined;
    const started = this.identities.startOf(pid);
    return started === undefined ? undefined : { place: this.#place, pid, started };
  }

  lifeOf({ place, pid, started }: ProcessId): Life {
    if (this.#place === undefined) return "unknown";
    if (place === this.#place) return this.identify(pid)?.started === started ? "runs" : "gone";
    // No process outlives its system.
    return bootOf(place) === bootOf(this.#place) ? "unknown" : "gone";
  }
}

const bootOf = (place: string) => place.split(" ")[0];
