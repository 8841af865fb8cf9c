import { join } from "node:path";
import { readFileIfThere } from "../files/private_files.ts";

/** Where the operator says the KEK is; the first that is set counts (design §6). */
export interface KekSources {
  readonly file?: string | undefined;
  readonly command?: string | undefined;
  /** systemd's `$CREDENTIALS_DIRECTORY`. */
  readonly credentials?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly passphraseCommand?: string | undefined;
  /** Whether it was named in an earlier command, and kept with the installation. */
  readonly remembered?: boolean;
  /** Runs a command line in the system's shell, for a bounded time, and answers its standard output. */
  run(commandLine: string): Promise<Uint8Array>;
}

/** Whether the operator supplies a KEK at all. */
export function kekSupplied(sources: KekSources): boolean {
  return sources.file !== undefined || sources.command !== undefined ||
    credentialPath(sources) !== undefined || sources.passphraseFile !== undefined ||
    sources.passphraseCommand !== undefined;
}

/** Whether other machines can have the same KEK: no generated key file, and no passphrase, whose salt is a database's own. */
export function isPortable(sources: KekSources): boolean {
  return (sources.file ?? sources.command ?? credentialPath(sources)) !== undefined;
}

/** File of the KEK among a unit's credentials, if it is one of them. */
export function credentialPath({ credentials }: KekSources): string | undefined {
  if (credentials === undefined) return undefined;
  const path = join(credentials, "rekey-kek");
  // A unit may load other credentials and none for rekey.
  return readFileIfThere(path) === undefined ? undefined : path;
}
