import process from "node:process";
import { isRekeyError } from "../../core/errors.ts";
import { isReadOnly } from "../../files/mounts.ts";
import { setMode } from "../../files/private_files.ts";
import { type Finding, shellWord } from "../finding.ts";
import { type OpenPatient, rekey } from "../patient.ts";

/** The key-encryption key: there, the right one, and nobody else's to read. */
export async function kekCheck(patient: OpenPatient): Promise<Finding[]> {
  return [...await missing(patient), ...exposed(patient)];
}

async function missing(patient: OpenPatient): Promise<Finding[]> {
  try {
    await patient.installation.kek();
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    const { code, message, hint = "" } = error;
    // What cannot be read at all is as good as not there.
    const known = code === "kek_invalid" || code === "kek_wrong" ? code : "kek_missing";
    return [{
      code: known,
      what: message,
      why:
        "What is sealed in the database cannot be opened, and no audit row be written; when it is lost: " +
        `\`${rekey(patient, "restore BACKUP --force")}\``,
      command: `# ${hint}`,
    }];
  }
}

function exposed({ installation }: OpenPatient): Finding[] {
  const { kek } = installation.environment;
  const files = [installation.generatedKeyFile(), kek.file, kek.passphraseFile];
  return files.filter((path) => path !== undefined).flatMap((path): Finding[] => {
    const { mode, uid } = accessOf(path);
    if ((mode & 0o044) === 0) return [];
    const what = `${path} can be read by other users (mode ${(mode & 0o777).toString(8)})`;
    const me = process.geteuid!();
    // A group of the operator's own making, such as that of a service.
    if (uid !== me && uid === 0 && (mode & 0o004) === 0) return [];
    if (isReadOnly(path)) return [readable(what)];
    const others = uid !== me && me !== 0;
    if (others) return [{ ...exposure(what), command: `sudo chmod o-r ${shellWord(path)}` }];
    return [{
      ...exposure(what),
      command: `chmod 600 ${shellWord(path)}`,
      mend: () => setMode(path, 0o600),
    }];
  });
}

function exposure(what: string): Omit<Finding, "command"> {
  return {
    code: "kek_exposed",
    what,
    why: "Who has read it opens what is sealed in every copy of the database; " +
      "`rekey kek rotate` makes another one",
  };
}

// Containers mount secrets so, and have one user.
function readable(what: string): Finding {
  return {
    code: "kek_readable",
    what: `${what}, and the file system is read-only`,
    why: "Its mode can be changed only where it is mounted: as defaultMode 0400 with Kubernetes, " +
      "as mode 0400 with Compose. Where no other user is, none can read it",
    command: null,
  };
}

// Of what a link leads to; a pipe has no copies that others could read.
function accessOf(path: string): { mode: number; uid: number | null } {
  try {
    const { isFile, mode, uid } = Deno.statSync(path);
    return { mode: isFile && process.geteuid !== undefined ? mode ?? 0 : 0, uid };
  } catch (error) {
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    if ([NotFound, PermissionDenied, NotADirectory].some((kind) => error instanceof kind)) {
      return { mode: 0, uid: null };
    }
    throw error;
  }
}
