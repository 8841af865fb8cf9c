/**
 * Finds `denort`, the runtime that `deno compile` puts in front of a program. For this machine: `DENORT_BIN` if it is
 * set, else Deno's own download, else the one inside an npm package, since many production networks reach a package
 * registry and nothing else. For another machine: the one inside a package.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { denoOf, kept, packageArchive, unpack } from "./downloads.ts";
import pins from "./pins.json" with { type: "json" };
import { HOST } from "./target.ts";

/** Where a pinned denort is found, and what it must be. */
export interface Pin {
  /** Its version; only the Deno of the same one can put a program behind it. */
  readonly deno: string;
  /** npm package with its version. */
  readonly package: string;
  /** The Deno-compiled executable inside the package. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a program for a kind of machine is compiled with. */
export interface Toolchain {
  /** Path; `undefined` to let Deno use the one that it downloaded. */
  readonly denort: string | undefined;
  /** Path of the Deno, for this machine, of the version that denort has. */
  readonly deno: string;
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

/** What is pinned for a kind of machine, if anything is. */
export function pinFor(target: string): Pin | undefined {
  return (pins.denort as Record<string, Pin>)[target];
}

/** Finds what a program for a kind of machine is compiled with. @throws {Error} when there is nothing. */
export function findToolchain(target = HOST): Promise<Toolchain> {
  const known = found.get(target) ?? find(target);
  found.set(target, known);
  return known;
}

const found = new Map<string, Promise<Toolchain>>();

async function find(target: string): Promise<Toolchain> {
  if (target === HOST) {
    const deno = Deno.execPath();
    const given = Deno.env.get("DENORT_BIN");
    if (given) return { denort: given, deno };
    if (await denoCanDownload()) return { denort: undefined, deno };
  }
  const pin = pinFor(target);
  if (pin === undefined) {
    throw new Error(
      `Cannot find a denort for ${target}: Deno did not download one within ` +
        `${
          DOWNLOAD_TIMEOUT_MS / 1000
        } s and none is pinned; set DENORT_BIN to one of Deno ${Deno.version.deno}`,
    );
  }
  const check = (content: Uint8Array) => checkPin(content, pin);
  const denort = await kept(`denort-${pin.sha256}`, check, () => cutOut(pin));
  return { denort, deno: await denoOf(pin.deno) };
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

async function cutOut(pin: Pin): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    const archive = join(folder, "archive.tgz");
    await Deno.writeFile(archive, await packageArchive(pin.package));
    await unpack(archive, join(folder, "unpacked"));
    const program = await Deno.readFile(join(folder, "unpacked", pin.file));
    return program.subarray(0, elfLength(program));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
