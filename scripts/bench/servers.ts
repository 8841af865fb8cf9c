import { Box, REKEY } from "../../tests/support/process/box.ts";
import { Serving } from "../../tests/support/http/serving.ts";
import { compile } from "../compile.ts";
import type { BenchKey } from "./known_secret.ts";
import { heldTo, SERVER_CORE } from "./load.ts";
import { peer } from "./peers.ts";
import { until } from "../../tests/support/timing/pause.ts";
import { freePort } from "../../tests/support/http/ports.ts";
import { feed, start } from "../program.ts";

/** A server to send requests to. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  /** Of its process. */
  readonly id: number;
}

/** `rekey serve` with so many request threads and no access log: the others write none. @param core that it is held to. */
export async function rekeyServer(
  secret: BenchKey,
  workers: number,
  core?: number,
): Promise<Server> {
  const box = new Box();
  await secret.importInto(box);
  const args = ["--workers", String(workers), "--no-access-log"];
  const rekey = core === undefined ? [REKEY] : heldTo(core, REKEY);
  const serving = await Serving.start(box, args, { rekey });
  const dispose = async () => {
    await serving[Symbol.asyncDispose]();
    box[Symbol.dispose]();
  };
  return { url: serving.url, id: serving.process.pid, [Symbol.asyncDispose]: dispose };
}

const PERMISSIONS = {
  bare: [],
  floor: [],
  hmac: [],
  signature: ["--allow-ffi"],
  // The threads share the port, and read the program again.
  threaded: ["--allow-read", "--unstable-net"],
};

/**
 * A server on rekey's own runtime, compiled like rekey: `bare` with nothing in it, `floor`, `hmac`, which takes a secret,
 * `signature`, which takes a public key, or `threaded`, which takes a number of threads.
 *
 * @param more what it takes. @param isHeld whether it is held to a core.
 */
export async function runtimeServer(
  name: keyof typeof PERMISSIONS,
  folder: string,
  more: readonly string[] = [],
  isHeld = true,
): Promise<Server> {
  const program = `${folder}/${name}-${crypto.randomUUID()}`;
  await compile(peer(`${name}.ts`), program, ["--allow-net", ...PERMISSIONS[name]]);
  const line = (...args: string[]) => isHeld ? heldTo(SERVER_CORE, ...args) : args;
  return await started((port) => line(program, String(port), ...more), "", {});
}

/** A server that runs on node, and is told the secret, held to a core. */
export function nodeServer(
  file: string,
  args: string[],
  secret: BenchKey,
  env: Record<string, string>,
): Promise<Server> {
  const line = (port: number) => heldTo(SERVER_CORE, "node", peer(file), String(port), ...args);
  return started(line, secret.text, {
    ...env,
    NODE_ENV: "production",
  });
}

async function started(
  line: (port: number) => string[],
  stdin: string,
  env: Record<string, string>,
): Promise<Server> {
  const port = freePort();
  const [program, ...args] = line(port) as [string, ...string[]];
  const child = start(program, args, {
    env,
    ...{ stdin: "piped", stdout: "inherit", stderr: "inherit" } as const,
  });
  await feed(child.stdin, stdin);
  const url = `http://127.0.0.1:${port}`;
  await until(() => answers(url), { every: 50, otherwise: `${program} does not answer` });
  const dispose = async () => {
    child.kill("SIGKILL");
    await child.status;
  };
  return { url, id: child.pid, [Symbol.asyncDispose]: dispose };
}

async function answers(url: string): Promise<boolean> {
  await (await fetch(url)).body?.cancel();
  return true;
}
