import { asRefusal, RekeyError } from "../core/errors.ts";
import { isThere } from "../files/files.ts";
import type { Installation } from "../store/installation.ts";
import { findKek, readKekRecord } from "../store/sealed/kek.ts";

// A database that came back from an automatic copy, or without its lost KEK, has a KEK and an audit key of its own.
// Backups from before that were made under others.

const ASIDE = "move this database aside and restore again";

/**
 * Finds the KEK that a staged backup names, if the command uses another one for the database: rekey's key file of it, if
 * that is still there. Later calls of `staged.kek()` find it too, or say why there is none.
 */
export async function findOwnKek(staged: Installation, live: Installation): Promise<void> {
  try {
    // A KEK that was named for neither must not become that of the database.
    await live.kek();
    const file = staged.generatedKeyFile();
    if (file === undefined || !isThere(file)) return;
    const { run } = staged.environment.kek;
    staged.useKek(await findKek({ run }, file, readKekRecord(staged.meta, "kek")));
  } catch (error) {
    asRefusal(error);
  }
}

/** The error for a backup whose log cannot be checked: its KEK is not available, and its log is not that of the database. */
export function uncheckable(staged: Installation, live: Installation, cause: RekeyError) {
  const file = staged.generatedKeyFile();
  const back = file === undefined
    ? `To use that KEK, ${ASIDE} with it`
    : `Put the key file back as ${file}`;
  const id = idOf(staged);
  return new RekeyError(
    cause.code,
    `Cannot check the backup: it was made under KEK ${id}, which is not available; this database ` +
      `has KEK ${idOf(live)} and another audit log`,
    {
      hint: `${back}. If it is lost, ${ASIDE}, with --new-secret or a backup made --with-secret`,
      cause,
    },
  );
}

/** The error for a database whose KEK is not available, when the one that the command names is the backup's. */
export function otherKek(staged: Installation, live: Installation, cause: RekeyError): RekeyError {
  if (cause.code !== "kek_wrong" || staged.meta.get("kek") === undefined) return cause;
  const [own, there] = [idOf(staged), idOf(live)];
  if (own === there) return cause;
  const file = staged.generatedKeyFile();
  const back = file === undefined
    ? ""
    : `leave out its flag or variable and put the file there as ${file}, or `;
  return new RekeyError(
    cause.code,
    `${cause.message}; the backup was made under ${own}`,
    { hint: `To bring the backup back, ${back}${ASIDE}`, cause },
  );
}

function idOf({ meta }: Installation): string {
  return readKekRecord(meta, "kek").id;
}
