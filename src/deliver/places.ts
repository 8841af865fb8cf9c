import { basename, dirname, join, normalize, sep } from "node:path";
import { RekeyError, usageError } from "../core/errors.ts";
import { isSamePlace, isWithin, realPlace } from "../files/real_place.ts";
import type { Installation } from "../store/installation.ts";
import type { StoredDelivery } from "../store/sqlite/deliveries.ts";
import { faultOfPath } from "../system/paths.ts";
import { SYSTEM } from "../system/system.ts";
import type { Delivery } from "./delivery.ts";

/**
 * The path of a delivery as it is stored.
 *
 * @throws {RekeyError} `usage` when it is no absolute path, or has characters that terminals and logs act on.
 */
export function usablePath(path: string | undefined): string {
  if (path === undefined) {
    throw usageError(
      "Cannot choose a place for the file: this user has no memory-backed folder",
      "Name a file with --path; the files of /run and $XDG_RUNTIME_DIR are in memory only",
    );
  }
  const fault = faultOfPath(path, SYSTEM.paths) ??
    (SYSTEM.paths.isWhole(path) ? undefined : "it is a relative path") ??
    (/\p{Cc}/u.test(path) ? "it has a control character in it" : undefined);
  if (fault !== undefined) {
    throw usageError(`Cannot use --path: ${fault}`, "Write the absolute path");
  }
  const plain = normalize(path);
  return plain.length > 1 && plain.endsWith(sep) ? plain.slice(0, -1) : plain;
}

/** Path of one of a delivery's files, by its name. */
export function deliveredPath({ settings: { path } }: StoredDelivery, name: string): string {
  return name === "" ? path : join(path, name);
}

/** Paths of the files that rekey has written for a delivery on this machine, or was about to. */
export function deliveredFiles(delivery: StoredDelivery): string[] {
  return Object.keys(delivery.state.files).map((name) => deliveredPath(delivery, name));
}

/**
 * Checks that a delivery writes to no file of rekey's own, and to none of another delivery.
 *
 * @throws {RekeyError} `failed` if it would.
 */
export function refuseTakenPlace(
  installation: Installation,
  delivery: Delivery,
  others: readonly Delivery[],
): void {
  const { name, settings: { path } } = delivery;
  if (isOwn(installation, delivery)) {
    throw new RekeyError(
      "failed",
      `Cannot deliver to ${path}: it is where rekey keeps its own files`,
      {
        hint: "Name another path",
      },
    );
  }
  const other = others.find((one) => one.name === name || overlap(one, delivery));
  if (other === undefined) return;
  if (other.name === name) {
    throw new RekeyError("failed", `There is a delivery ${name} already`, {
      hint: `\`rekey deliver sync ${name}\` brings it up to date; to change it, ` +
        `\`rekey deliver remove ${name} --keep-files\` and add it again with --force`,
    });
  }
  throw new RekeyError("failed", `Cannot add ${name}: ${other.name} delivers there already`, {
    hint: `\`rekey deliver remove ${other.name}\` first, or use another name and path`,
  });
}

function isOwn({ environment, database }: Installation, delivery: Delivery): boolean {
  const { folders: { config, cache }, kek: { file, passphraseFile } } = environment;
  const place = realPlace(delivery.settings.path);
  const own = [database.path, file, passphraseFile, config, cache]
    .flatMap((path) => path === undefined ? [] : [realPlace(path)]);
  return isOfDatabase(place, realPlace(database.path)) ||
    own.some((one) => isWithin(place, one) || (isFolder(delivery) && isWithin(one, place)));
}

// A file with a name that SQLite, locks and copies put after the database's, or anything in a folder with such a name.
function isOfDatabase(place: string, database: string): boolean {
  for (let at = place; dirname(at) !== at; at = dirname(at)) {
    const isNamedSo = basename(at).startsWith(basename(database));
    if (isNamedSo && isSamePlace(dirname(at), dirname(database))) return true;
  }
  return false;
}

function overlap(one: Delivery, other: Delivery): boolean {
  const [here, there] = [one, other].map(({ settings: { path } }) => realPlace(path)) as [
    string,
    string,
  ];
  return isSamePlace(here, there) || (isFolder(one) && isWithin(there, here)) ||
    (isFolder(other) && isWithin(here, there));
}

const isFolder = ({ preset }: Delivery) => preset.layout === "folder";
