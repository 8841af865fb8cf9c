import { join } from "node:path";
import { Box } from "../process/box.ts";

export const PASSPHRASE = "three ravens and an open window";

export const WITH_PASSPHRASE = ["--passphrase-file", "passphrase"];

/** A secret with a token of it, and where its backup is to be. */
export async function prepared(): Promise<{ box: Box; token: string; backup: string }> {
  const box = new Box();
  await box.run(["init", "--store", "database"]);
  Deno.writeTextFileSync(join(box.home, "passphrase"), `${PASSPHRASE}\n`, { mode: 0o600 });
  return { box, token: await box.token(), backup: join(box.home, "backup.db") };
}

/** Flags that seal a backup to a new age identity and open it again: a passphrase takes a second of a processor. */
export async function ageFlags(box: Box): Promise<{ seal: string[]; open: string[] }> {
  const identity = join(box.home, "identity");
  await box.exec("age-keygen", ["-o", identity]);
  const { stdout } = await box.exec("age-keygen", ["-y", identity]);
  return { seal: ["--recipient", stdout.trim()], open: ["--identity-file", identity] };
}

/** Loses the database. */
export function removeDatabase(box: Box): void {
  for (const end of ["", "-wal", "-shm"]) {
    try {
      Deno.removeSync(box.database + end);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Files that something unfinished has left. */
export function leftovers(box: Box): string[] {
  return [...box.files().keys()].filter((path) => /\/\.(rekey-restore|\w+\.db\.)/.test(path));
}
