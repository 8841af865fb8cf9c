/**
 * `deno task bench [--write] [PART…]`: measures rekey beside others in one run, prints medians and ratios, and with
 * `--write` puts them into docs/, where parts that were not measured keep theirs. Needs wrk, python3-jwt, gnome-keyring, valgrind, node and npm,
 * and for guards and refusals what the tests need: nginx with njs and Lua, HAProxy; for refusals also Apache with
 * mod_auth_openidc, Dovecot, and to be root.
 */
import { join } from "node:path";
import { audit } from "./audit.ts";
import { chart } from "./chart.ts";
import { instructions, peak } from "./counted.ts";
import { deliveries } from "./deliveries.ts";
import { fanOut } from "./fan_out.ts";
import { fleet } from "./fleet.ts";
import { growth } from "./growth.ts";
import { guards } from "./guards.ts";
import { keyPairs } from "./key_pairs.ts";
import { memory } from "./memory.ts";
import { peerVersions } from "./peers.ts";
import { report } from "./report.ts";
import { refusals } from "./refusals.ts";
import { requests } from "./requests.ts";
import type { Part } from "./result.ts";
import { retrieval } from "./retrieval.ts";
import { size } from "./size.ts";
import { startUp } from "./start_up.ts";
import { run } from "../program.ts";

const DOCS = join(import.meta.dirname!, "../../docs");

const PARTS: Record<string, () => Part | Promise<Part>> = {
  "start-up": () => startUp(30),
  instructions,
  peak: () => peak(9),
  retrieval: () => retrieval(40),
  requests: () => requests(5),
  "key-pairs": () => keyPairs(5),
  deliveries: () => deliveries(15),
  size,
  growth: () => growth(7),
  audit: () => audit(1_000_000, 3),
  fleet: () => fleet(5),
  "fan-out": fanOut,
  guards: () => guards(5),
  refusals: () => refusals(100),
  memory: () => memory(10_000_000),
};

const DATA = join(DOCS, "benchmarks.json");

const INTRODUCTION =
  "As `deno task bench --write` printed them. A goal is a ratio within one run " +
  "that the project has set itself, and often one that is out of reach: " +
  "[performance.md](performance.md) says why, and some rows are floors, programs that do only what " +
  'cannot be left out. The servers of "GET /auth" and of "Key pairs" are held to one core and ' +
  "what asks them to another, so two threads answer no more than one there; by the processor time " +
  "of a request two cores would answer nearly twice as many.";

/** A part, and when and of which commit it was measured. */
interface Kept {
  readonly when: string;
  readonly part: Part;
}

const asked = Deno.args.filter((arg) => !arg.startsWith("--"));
const names = asked.length > 0 ? asked : Object.keys(PARTS);
const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));
const about = `${await machine()}\n`;
const when = `${new Date().toISOString().slice(0, 10)}, commit ${await commit()}`;
print(about);
const kept: Record<string, Kept> = JSON.parse(Deno.readTextFileSync(DATA));
for (const name of names) {
  const measure = PARTS[name];
  if (measure === undefined) throw new Error(`No part ${name}; there are ${Object.keys(PARTS)}`);
  const part = await measure();
  print(`\n${report([part])}`);
  kept[name] = { when, part };
  // At once: all parts take half an hour, and a later one may fail.
  if (Deno.args.includes("--write")) write();
}

// Parts that were not measured this time stay as they were.
function write(): void {
  const all = Object.keys(PARTS).flatMap((name) => kept[name] ?? []);
  Deno.writeTextFileSync(DATA, `${JSON.stringify(kept, null, 2)}\n`);
  Deno.writeTextFileSync(join(DOCS, "benchmarks.svg"), chart(all.map(({ part }) => part)));
  const sections = all.map(({ when, part }) =>
    report([part]).replace(/^(## .*)\n/, `$1\n\n_${when}_\n`)
  );
  Deno.writeTextFileSync(
    join(DOCS, "benchmarks.md"),
    `# Benchmarks\n\n${INTRODUCTION}\n\n` +
      `![The figures as bars](benchmarks.svg)\n\n${about}\n${sections.join("\n")}`,
  );
}

async function commit(): Promise<string> {
  return (await run("git", ["rev-parse", "--short=8", "HEAD"])).stdout.trim();
}

async function machine(): Promise<string> {
  const { os, arch } = Deno.build;
  const cpu = /model name\s*: (.*)/.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? arch;
  const version = async (program: string, ...args: string[]) => {
    return (await run(program, args)).stdout.trim();
  };
  return `${os}, ${navigator.hardwareConcurrency} cores of ${cpu}. Deno ${Deno.version.deno}, ` +
    `node ${await version("node", "--version")}, ${await version(
      "/usr/bin/python3",
      "--version",
    )} with PyJWT ` +
    `${await version(
      "/usr/bin/python3",
      "-c",
      "import jwt; print(jwt.__version__)",
    )}; ${peerVersions()}.`;
}
