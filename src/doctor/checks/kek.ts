import process from "node:process";
import { isRekeyError } from "../../core/errors.ts";
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
    const mode = process.geteuid === undefined ? 0 : modeOf(path);
    if ((mode & 0o044) === 0) return [];
    return [{
      code: "kek_exposed",
      what: `${path} can be read by other users (mode ${(mode & 0o777).toString(8)})`,
      why: "Who has read it opens what is sealed in every copy of the database; " +
        "`rekey kek rotate` makes another one",
      command: `chmod 600 ${shellWord(path)}`,
      mend: () => setMode(path, 0o600),
    }];
  });
}

// Of what a link leads to; a pipe has no copies that others could read.
function modeOf(path: string): number {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile ? mode ?? 0 : 0;
  } catch (error) {
    const { NotFound, PermissionDenied, NotADirectory } = Deno.errors;
    if ([NotFound, PermissionDenied, NotADirectory].some((kind) => error instanceof kind)) return 0;
    throw error;
  }
}
