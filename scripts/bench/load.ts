import { childrenOf } from "../../tests/support/process/running.ts";
import { run } from "../program.ts";
import { peer } from "./peers.ts";
import { median } from "./result.ts";

const SECONDS = 3;
const CONNECTIONS = 32;

/** Cores for those that must not take each other's time: the load generator, and the server that is measured. */
export const [LOAD_CORE, SERVER_CORE] = [0, 1];

/** The command line that holds a program to a core; the program's own where there is only one. */
export function heldTo(core: number, ...line: string[]): [program: string, ...args: string[]] {
  const program = navigator.hardwareConcurrency > 1 ? ["taskset", "-c", String(core)] : [];
  return [...program, ...line] as [string, ...string[]];
}

/** What is asked for, and how. */
export interface Requests {
  /** File of tokens, one a line; each request has the next one. */
  readonly tokens: string;
  readonly seconds?: number;
  /** Default `/auth`. */
  readonly target?: string;
  /** Whether they have what a browser sends too. */
  readonly browser?: boolean;
  /** The share of tokens that must be refused, all over the file. */
  readonly refused?: number;
  /** Core that the load generator is held to. */
  readonly core?: number;
}

/** Requests that were answered. */
export interface Answered {
  /** How many a second. */
  readonly rate: number;
  /** Milliseconds that half of them, and all but one in a hundred, took at most. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends as many requests as get answered, and answers how many that were a second. */
export async function load(url: string, requests: Requests): Promise<number> {
  return (await answered(url, requests)).rate;
}

async function answered(url: string, requests: Requests): Promise<Answered> {
  const { tokens, seconds = SECONDS, target = "/auth", refused = 0, core } = requests;
  const flags = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", peer("tokens.lua"), url];
  const env = { TOKENS: tokens, TARGET: target, ...requests.browser && { BROWSER: "1" } };
  const [program, ...args] = core === undefined ? ["wrk"] as const : heldTo(core, "wrk");
  const { stderr, code } = await run(program, [...args, ...flags], { env });
  const [count, microseconds, errors, p50 = 0, p99 = 0] = stderr.trim().split(" ").map(Number);
  const isAsExpected = count !== undefined && errors !== undefined &&
    Math.abs(errors - count * refused) <= (refused === 0 ? 0 : 1 + count / 100);
  if (code !== 0 || microseconds === undefined || !isAsExpected) {
    throw new Error(`${url}: ${stderr}`);
  }
  return { rate: count / (microseconds / 1e6), p50: p50 / 1e3, p99: p99 / 1e3 };
}

/** A server, and the processes that work on its answers. */
export interface Worked {
  readonly url: string;
  readonly ids: readonly number[];
}

/** What requests to one server took, medians of all loads but the first, which warms caches. */
export interface Cost extends Omit<Answered, "rate"> {
  /** Microseconds of the processors for each request. */
  readonly processor: number;
}

/** Sends requests, and keeps what each has cost. */
export class CostedLoad {
  readonly #costs = new Map<string, Cost[]>();

  /** {@linkcode load} of what has a name. */
  async send(name: string, { url, ids }: Worked, requests: Requests): Promise<number> {
    const before = processorTime(ids);
    const { rate, p50, p99 } = await answered(url, requests);
    const count = rate * (requests.seconds ?? SECONDS);
    const processor = 1e6 * (processorTime(ids) - before) / count;
    this.#costs.set(name, [...this.#costs.get(name) ?? [], { processor, p50, p99 }]);
    return rate;
  }

  /** One of the figures, by name. */
  medians(figure: keyof Cost = "processor"): [name: string, value: number][] {
    return [...this.#costs].map((
      [name, all],
    ) => [name, median(all.slice(1).map((cost) => cost[figure]))]);
  }
}

// Clock ticks of 10 ms (proc(5)): it does not depend on what else the machine does, as requests a second do.
function processorTime(ids: readonly number[]): number {
  const processes = ids.flatMap((id) => [id, ...childrenOf(id)]);
  return processes.map((id) => {
    const fields = Deno.readTextFileSync(`/proc/${id}/stat`).replace(/^.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }).reduce((sum, seconds) => sum + seconds, 0);
}
