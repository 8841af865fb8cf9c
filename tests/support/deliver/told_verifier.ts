import assert from "node:assert/strict";
import { join } from "node:path";
import type { Box } from "../process/box.ts";
import { Verifier } from "./verifier.ts";

/** How {@linkcode withVerifier} differs from the usual. */
interface Telling {
  /** Name of the delivery. */
  readonly name?: string;
  /** How long its reload takes, in seconds. */
  readonly takes?: number;
  /** A file: while it is there, the reload waits for a process, whose id it writes to the file. */
  readonly hangsBy?: string;
}

/** Adds a verifier that reads its file on SIGHUP. It must be running: a delivery is proved at once. */
export async function withVerifier(
  box: Box,
  { name = "api", takes = 0.3, hangsBy = "/nowhere" }: Telling = {},
): Promise<Verifier> {
  const path = join(box.home, `${name}.json`);
  Deno.writeTextFileSync(path, `{"keys":[]}`);
  const verifier = await Verifier.start(path, "hangup");
  const pid = join(box.home, `${name}.pid`);
  // Time enough for a token to be issued before the program knows its key, if the order were wrong.
  const hang = `if test -e ${hangsBy}; then sleep 1000 & echo $! > ${hangsBy}; wait $!; fi`;
  const line = `${hang}; sleep ${takes}; kill -HUP $(cat ${pid})`;
  const reload = ["--reload", line, "--probe-url", verifier.url];
  Deno.writeTextFileSync(pid, String(verifier.pid));
  const target = ["--format", "jwks", "--path", path, "--force"];
  const added = await box.run(["deliver", "add", name, ...target, ...reload]);
  assert.equal(added.code, 0, added.stderr);
  return verifier;
}

/** Starts a verifier again, which has ended or hangs, so that its reload reaches it. */
export async function restart(box: Box, verifier: Verifier, name = "api"): Promise<void> {
  await verifier.restart();
  Deno.writeTextFileSync(join(box.home, `${name}.pid`), String(verifier.pid));
}
