import { resolve } from "node:path";
import { RekeyError } from "../core/errors.ts";
import { SYSTEM } from "../system/system.ts";
import { credentialPath, type KekSources, kekSupplied } from "./sealed/kek_sources.ts";
import type { Meta } from "./sqlite/meta.ts";
import { infoOf } from "../system/files.ts";

// An installation remembers where its KEK and its etcd are: a path, a command line or a name, never a value. A database
// may come from elsewhere, with a command that someone else wrote. So a command or an etcd is used only in the file that
// it was remembered in, not in a copy; a path is used everywhere, since it is only read.

/** Where a KEK is. */
const KEK_SOURCES = [
  "file",
  "command",
  "credential",
  "passphraseFile",
  "passphraseCommand",
] as const;
type KekSourceName = (typeof KEK_SOURCES)[number];

interface RememberedKek {
  readonly source: KekSourceName;
  readonly value: string;
  /** Identity of the file that it was remembered in. */
  readonly file: string | null;
}

interface RememberedEtcd {
  readonly settings: Readonly<Record<string, string>>;
  readonly file: string | null;
}

/** The KEK source and the etcd that an installation remembers. */
export class Remembered {
  constructor(private readonly meta: Meta, private readonly path: string) {}

  /** The row for KEK sources; `undefined` when none is set. The first that is set counts, as it does for the KEK. */
  kekRow(sources: KekSources) {
    if (!kekSupplied(sources)) return undefined;
    const { file, command, passphraseFile, passphraseCommand } = sources;
    const row = (source: KekSourceName, value: string) =>
      JSON.stringify({ source, value, file: identityOf(this.path) } satisfies RememberedKek);
    if (file !== undefined) return row("file", resolve(file));
    if (command !== undefined) return row("command", command);
    if (credentialPath(sources) !== undefined) return row("credential", "rekey-kek");
    if (passphraseFile !== undefined) return row("passphraseFile", resolve(passphraseFile));
    return row("passphraseCommand", passphraseCommand!);
  }

  /** Inside a transaction: remembers the KEK source; `undefined` means the generated key file. */
  setKek(row: string | undefined): void {
    if (row === undefined) this.meta.remove("kek_source");
    else this.meta.set("kek_source", row);
  }

  /** Inside a transaction: remembers the variables that name etcd. */
  setEtcd(settings: Readonly<Record<string, string>>): void {
    const row = { settings, file: identityOf(this.path) } satisfies RememberedEtcd;
    this.meta.set("etcd_source", JSON.stringify(row));
  }

  /**
   * The remembered sources, or `given` when nothing is remembered.
   *
   * @throws {RekeyError} `kek_missing` for a command of another file, or a credential that this process does not have.
   */
  kekSources(given: KekSources): KekSources {
    const kept = this.#kek();
    if (kept === undefined) return given;
    const { source, value } = kept;
    if (source === "credential") {
      throw new RekeyError(
        "kek_missing",
        "Cannot find the KEK: it is remembered as the systemd credential rekey-kek, which only its unit has",
        { hint: "Run the command in that unit, or name the KEK with --kek-file or another source" },
      );
    }
    if (/command$/i.test(source) && !this.#isOwn(kept.file)) {
      throw new RekeyError(
        "kek_missing",
        "Cannot get the KEK: a command is remembered, but not in this file, which is a copy of another database",
        { hint: "Name it again: `rekey init` with --kek-file or a REKEY_… variable remembers it" },
      );
    }
    return { [source]: value, run: given.run, remembered: true };
  }

  /** Whether a KEK source is remembered. */
  get hasKek(): boolean {
    return this.#kek() !== undefined;
  }

  /** The variables that name etcd; `undefined` when none are remembered in this file. */
  etcdSettings(): Readonly<Record<string, string>> | undefined {
    const kept = parsed(this.meta.get("etcd_source")) as RememberedEtcd | undefined;
    if (typeof kept?.settings !== "object" || kept.settings === null) return undefined;
    return this.#isOwn(kept.file) ? kept.settings : undefined;
  }

  /** Whether the remembered sources run a command or use the network. */
  get reachesOut(): boolean {
    return /command$/i.test(this.#kek()?.source ?? "") || this.etcdSettings() !== undefined;
  }

  /**
   * Inside a transaction, in a copy that replaces a database: takes that database's sources. Without one, keeps only a
   * path of its own.
   */
  takeOver(live: Meta | undefined): void {
    if (live === undefined) return this.distrust();
    for (const key of ["kek_source", "etcd_source"] as const) {
      const row = live.get(key);
      if (row === undefined) this.meta.remove(key);
      else this.meta.set(key, row);
    }
  }

  /** Inside a transaction: forgets a command and an etcd, in a file that others could have written. */
  distrust(): void {
    if (/command$/i.test(this.#kek()?.source ?? "")) this.meta.remove("kek_source");
    this.meta.remove("etcd_source");
  }

  #kek(): RememberedKek | undefined {
    const kept = parsed(this.meta.get("kek_source")) as RememberedKek | undefined;
    return typeof kept?.value === "string" && KEK_SOURCES.includes(kept.source) ? kept : undefined;
  }

  #isOwn(file: unknown): boolean {
    return file !== null && file === identityOf(this.path) && !isWritableByOthers(this.path);
  }
}

/** Whether the file exists and another user could have written it. */
export function isWritableByOthers(path: string): boolean {
  const info = infoOf(path);
  if (info === undefined) return false;
  const { isMine, othersWrite } = SYSTEM.permissions.access(path, info);
  return !isMine || othersWrite;
}

// The inode number alone may be that of a deleted file; its time of creation is not.
function identityOf(path: string): string | null {
  const { ino, birthtime } = infoOf(path) ?? {};
  return ino == null ? null : `${ino}.${birthtime?.getTime() ?? ""}`;
}

function parsed(row: string | undefined): unknown {
  try {
    return JSON.parse(row ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}
