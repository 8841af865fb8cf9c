/** The denort that Deno downloads by itself. It keeps it packed: an empty program shows whether it is there, and it. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { runDeno } from "../run_deno.ts";
import { executableName, HOST } from "../target.ts";
import { cut } from "./cut.ts";

// It either begins at once or is out of reach.
const TIMEOUT_MS = 10_000;

/** Whether Deno can download one. */
export async function denoCanDownload(): Promise<boolean> {
  try {
    await emptyProgram(HOST, AbortSignal.timeout(TIMEOUT_MS));
    return true;
  } catch {
    return false;
  }
}

/** SHA-256 of the one for a kind of machine, in hex; `undefined` where a newer Deno puts programs in by another way. */
export async function downloadedHash(target: string): Promise<string | undefined> {
  const program = await emptyProgram(target);
  try {
    return createHash("sha256").update(cut(program).denort).digest("hex");
  } catch {
    return undefined;
  }
}

async function emptyProgram(target: string, signal?: AbortSignal): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    const [script, program] = [
      join(folder, "empty.js"),
      join(folder, executableName("empty", target)),
    ];
    await Deno.writeTextFile(script, "");
    const flags = ["--quiet", "--no-check", "--no-config", "--target", target];
    await runDeno({ signal }, "compile", ...flags, "--output", program, script);
    return await Deno.readFile(program);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
