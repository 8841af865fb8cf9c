import { Box } from "../../tests/support/process/box.ts";
import { pause } from "../../tests/support/timing/pause.ts";
import { KnownSecret } from "./known_secret.ts";
import { load } from "./load.ts";
import type { Goal, Part, Row } from "./result.ts";
import { rekeyServer, runtimeServer, type Server } from "./servers.ts";

const FEW = 10_000;
// By then V8 has compiled what it compiles, and its young generation has its size.
const WARM = 1_000_000;
// Ten times what rekey remembers: each has been forgotten when it comes again.
const TOKENS = 100_000;

// A busy machine answers fewer requests in this time than are asked for; the row says how many they were.
const [LONGEST_MS, LOAD_SECONDS] = [330_000, 20];

// What timers do all the time has filled V8's young generation by then, and garbage of a busy time is collected.
const REST_MS = 75_000;

const BARE = "Deno.serve that answers a constant";
const [THREAD, THREADS] = ["the same in a thread beside the main one", "the same in two threads"];
const [ONE, TWO] = ["rekey, 1 thread", "rekey, 2 threads"];
const FIRST = "rekey, 1 thread, after 10,000 requests";
const RESTED = "rekey, 1 thread, 75 s after the start";
const WARMED = "rekey, 1 thread, after a million";

const most = (to: string, ratio: number): Goal => ({ to, sense: "≤", ratio });
// The second of each: what remains when the threads themselves are left out.
const GOALS: Record<string, Goal[]> = {
  [ONE]: [most(BARE, 1.35), most(THREAD, 1.35)],
  [TWO]: [most(BARE, 1.7), most(THREADS, 1.35)],
};

/**
 * What `serve` holds in memory: at rest beside the runtime's own server, and after so many requests, each with another
 * token than the 10,000 before.
 *
 * @param requests at most: it ends after some minutes.
 */
export async function memory(requests: number): Promise<Part> {
  using folder = new Box();
  const secret = new KnownSecret();
  const [few, many] = [`${folder.home}/few`, `${folder.home}/many`];
  secret.writeTokens(few, FEW);
  secret.writeTokens(many, TOKENS);
  await using bare = await runtimeServer("bare", folder.home);
  await using thread = await runtimeServer("threaded", folder.home, ["1"]);
  await using threads = await runtimeServer("threaded", folder.home, ["2"]);
  await using one = await rekeyServer(secret, 1);
  await using two = await rekeyServer(secret, 2);
  const servers: [string, Server][] = [
    [BARE, bare],
    [THREAD, thread],
    [THREADS, threads],
    [ONE, one],
    [TWO, two],
  ];
  const rows = servers.map(([name, server]) => row(name, server));
  await pause(REST_MS);
  const rested = row(RESTED, one);
  await load(one.url, { tokens: few, seconds: 1 });
  const first = row(FIRST, one);
  let [done, warmed] = [0, first];
  for (const end = performance.now() + LONGEST_MS; done < requests && performance.now() < end;) {
    done += await load(one.url, { tokens: many, seconds: LOAD_SECONDS }) * LOAD_SECONDS;
    if (warmed === first && done >= WARM) warmed = row(WARMED, one);
  }
  const name = `after ${Math.round(done / 1e5) / 10} million requests`;
  const last = row(name, one);
  await pause(REST_MS);
  return {
    title: "Memory of rekey serve (resident)",
    rows: [
      ...rows,
      rested,
      ...new Set([first, warmed]),
      {
        ...last,
        goals: [most(FIRST, 1.1), ...warmed === first ? [] : [most(WARMED, 1.1)]],
      },
      row("75 s after that", one),
    ],
  };
}

function row(name: string, { id }: Server): Row {
  const status = Deno.readTextFileSync(`/proc/${id}/status`);
  const value = Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
  return { name, value, unit: "MiB", goals: GOALS[name] ?? [] };
}
