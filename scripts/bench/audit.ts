import { Box, REKEY } from "../../tests/support/process/box.ts";
import { fillLog } from "../../tests/support/store/filled_log.ts";
import { compile } from "../compile.ts";
import { peer } from "./peers.ts";
import type { Goal, Part, Row } from "./result.ts";

const FLOOR = "reading the rows, and one HMAC-SHA-256 over all of them";

const GOAL: Goal = { to: FLOOR, sense: "≤", ratio: 2 };

/** What a process has used. */
interface Used {
  /** Processor time, in seconds. */
  readonly seconds: number;
  /** Most memory at any time, in MiB. */
  readonly mib: number;
}

/** Work on an audit log of so many rows: processor time of whole processes, and their memory. */
export async function audit(count: number): Promise<Part> {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  await fillLog(box, count);
  const floor = `${box.home}/floor`;
  await compile(peer("hash_log.ts"), floor, ["--allow-read"]);
  await box.run(["audit", "checkpoint"]);
  const key = (await box.run(["audit", "key"])).stdout.trim();
  Deno.writeTextFileSync(`${box.home}/notes`, (await box.run(["audit", "checkpoint"])).stdout);
  const exported = `${box.home}/log.jsonl`;
  await box.exec("/bin/sh", ["-c", `${REKEY} audit export > ${exported}`]);
  const verifyExport = ["audit", "verify-export", exported, "--checkpoint", `${box.home}/notes`];
  const copy = ["--data-dir", `${box.home}/copy`, "--store", "database"];
  const commands: Record<string, string[]> = {
    [FLOOR]: [floor, box.database],
    "rekey audit verify": [REKEY, "audit", "verify"],
    "rekey audit export": [REKEY, "audit", "export"],
    "rekey audit verify-export": [REKEY, ...verifyExport, "--key", key],
    "rekey backup": [REKEY, "backup", `${box.home}/backup`],
    "rekey restore": [REKEY, "restore", `${box.home}/backup`, ...copy],
    "rekey audit prune": [REKEY, "audit", "prune", "--force", "--older-than", "0s"],
  };
  const rows: Row[] = [];
  for (const [name, [program, ...args]] of Object.entries(commands)) {
    const { seconds, mib } = await used(box, program!, args);
    const goals = name.startsWith("rekey") && !name.endsWith("prune") ? [GOAL] : [];
    rows.push({ name, value: seconds, unit: `s, ${Math.round(mib)} MiB`, goals });
  }
  const title = `An audit log of ${count.toLocaleString("en")} rows: processor time, most memory`;
  return { title, rows };
}

const LOOK_MS = 20;

async function used(box: Box, program: string, args: string[]): Promise<Used> {
  const child = new Deno.Command(program, {
    args,
    ...box.surroundings(),
    stdout: "null",
    stderr: "inherit",
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
