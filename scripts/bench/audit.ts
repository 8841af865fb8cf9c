import { Box, REKEY } from "../../tests/support/process/box.ts";
import { fillLog } from "../../tests/support/store/filled_log.ts";
import { compile } from "../compile.ts";
import { peer } from "./peers.ts";
import { type Goal, median, type Part, type Row } from "./result.ts";

const FLOOR = "reading the rows, and one HMAC-SHA-256 over all of them";

const GOAL: Goal = { to: FLOOR, sense: "≤", ratio: 2 };

/** What a process has used. */
interface Used {
  /** Processor time, in seconds. */
  readonly seconds: number;
  /** Most memory at any time, in MiB. */
  readonly mib: number;
}

/** Work on an audit log of so many rows: processor time of whole processes, medians of some rounds, and their memory. */
export async function audit(count: number, rounds: number): Promise<Part> {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  await fillLog(box, count);
  await compile(peer("hash_log.ts"), `${box.home}/floor`, ["--allow-read"]);
  const found = new Map<string, Used[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const [name, command] of Object.entries(await commandsOf(box, round))) {
      found.set(name, [...found.get(name) ?? [], await used(box, command)]);
    }
  }
  const prune = [REKEY, "audit", "prune", "--force", "--older-than", "0s"];
  found.set("rekey audit prune", [await used(box, prune)]);
  const rows = [...found].map(([name, all]): Row => {
    const [value, mib] = [median(all.map(({ seconds }) => seconds)), all.map(({ mib }) => mib)];
    const goals = GUARDED.includes(name) ? [GOAL] : [];
    return { name, value, unit: `s, ${Math.round(Math.max(...mib))} MiB`, goals };
  });
  const title = `An audit log of ${count.toLocaleString("en")} rows: processor time, most memory`;
  return { title, rows };
}

const GUARDED = ["rekey audit verify", "rekey audit export", "rekey backup", "rekey restore"];

async function commandsOf(box: Box, round: number): Promise<Record<string, string[]>> {
  const { home } = box;
  const [exported, notes, backup] = [
    `${home}/log.jsonl`,
    `${home}/notes`,
    `${home}/backup${round}`,
  ];
  const key = (await box.run(["audit", "key"])).stdout.trim();
  Deno.writeTextFileSync(notes, (await box.run(["audit", "checkpoint"])).stdout);
  await box.exec("/bin/sh", ["-c", `${REKEY} audit export > ${exported}`]);
  const signed = ["--checkpoint", notes, "--key", key];
  const copy = ["--data-dir", `${home}/copy${round}`, "--store", "database"];
  return {
    [FLOOR]: [`${home}/floor`, box.database],
    "rekey audit verify": [REKEY, "audit", "verify"],
    "rekey audit export": [REKEY, "audit", "export"],
    "rekey audit verify-export": [REKEY, "audit", "verify-export", exported, ...signed],
    "rekey backup": [REKEY, "backup", backup],
    "rekey restore": [REKEY, "restore", backup, ...copy],
  };
}

const LOOK_MS = 20;

async function used(box: Box, [program, ...args]: string[]): Promise<Used> {
  const child = new Deno.Command(program!, {
    args,
    ...box.surroundings(),
    stdout: "null",
    stderr: "null",
  }).spawn();
  let last: Used = { seconds: 0, mib: 0 };
  let running = true;
  const ended = child.status.finally(() => running = false);
  while (running) {
    last = look(child.pid) ?? last;
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
  }
  const { code } = await ended;
  if (code !== 0) throw new Error(`${program} ${args} ended with ${code}`);
  return last;
}

const TICKS_A_SECOND = 100;

// A process that has ended has no memory any more.
function look(pid: number): Used | undefined {
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
    const [, peak] = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
    if (peak === undefined) return undefined;
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { seconds: ticks / TICKS_A_SECOND, mib: Number(peak) / 1024 };
  } catch {
    return undefined;
  }
}
