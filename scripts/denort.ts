/**
 * Finds `denort`, the runtime of `deno compile`: `DENORT_BIN` if it is set, else Deno's own download, else the one in an
 * npm package, since many networks reach only a package registry. `DENORT_BIN` is for this machine's target; with it,
 * other targets use the one in the package.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cut } from "./denort/cut.ts";
import { denoCanDownload } from "./denort/own_download.ts";
import { denoOf, kept, packageArchive, unpack } from "./downloads.ts";
import pins from "./pins.json" with { type: "json" };
import { HOST } from "./target.ts";

/** Package and hash of a pinned denort. */
export interface Pin {
  /** npm package with its version. */
  readonly package: string;
  /** The Deno-compiled executable inside the package. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Runtime and compiler for a target. */
export interface Toolchain {
  readonly target: string;
  /** Path; `undefined` for Deno's own download. */
  readonly denort: string | undefined;
  /** Path of the Deno of the same version, for this machine. */
  readonly deno: string;
  readonly version: string;
}

/** Version of all pinned denorts; only the same version of Deno can compile with them. */
export const PINNED_DENO = pins.deno;

/** @throws {Error} unless `file` has the pinned hash. */
export function checkPin(file: Uint8Array, pin: Pin): void {
  const sha256 = createHash("sha256").update(file).digest("hex");
  if (file.length === pin.bytes && sha256 === pin.sha256) return;
  throw new Error(
    `Refused a denort of ${file.length} bytes with SHA-256 ${sha256}: ` +
      `pinned are ${pin.bytes} bytes with ${pin.sha256}`,
  );
}

/** The pinned denort of a target. */
export function pinFor(target: string): Pin | undefined {
  return (pins.denort as Record<string, Pin>)[target];
}

/** Finds the runtime for a target. @throws {Error} if there is none. */
export function findToolchain(target = HOST): Promise<Toolchain> {
  const known = found.get(target) ?? find(target);
  found.set(target, known);
  return known;
}

const found = new Map<string, Promise<Toolchain>>();
let downloads: Promise<boolean> | undefined;

async function find(target: string): Promise<Toolchain> {
  const own = { target, deno: Deno.execPath(), version: Deno.version.deno };
  const given = Deno.env.get("DENORT_BIN");
  if (given && target === HOST) return { ...own, denort: given };
  downloads ??= denoCanDownload();
  if (!given && await downloads) return { ...own, denort: undefined };
  const pin = pinFor(target);
  if (pin === undefined) {
    throw new Error(
      `Cannot find a denort for ${target}: Deno's download is out of reach and none is pinned; ` +
        `set DENORT_BIN to one of Deno ${Deno.version.deno}`,
    );
  }
  const check = (content: Uint8Array) => checkPin(content, pin);
  const denort = await kept(`denort-${pin.sha256}`, check, () => cutOut(pin));
  return { target, denort, deno: await denoOf(PINNED_DENO), version: PINNED_DENO };
}

async function cutOut(pin: Pin): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "rekey-build-" });
  try {
    const archive = join(folder, "archive.tgz");
    await Deno.writeFile(archive, await packageArchive(pin.package));
    await unpack(archive, join(folder, "unpacked"));
    return cut(await Deno.readFile(join(folder, "unpacked", pin.file))).denort;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
