import process from "node:process";
import { isRekeyError } from "../../core/errors.ts";
import { infoOf } from "../../store/file_info.ts";
import { setMode } from "../../store/private_files.ts";
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
      why: "What is sealed in the database cannot be opened, and no audit row be written",
      command: known === "kek_invalid" ? `# ${hint}` : rekey(patient, "restore BACKUP --force"),
    }];
  }
}

function exposed({ installation }: OpenPatient): Finding[] {
  const { kek } = installation.environment;
  const files = [installation.generatedKeyFile(), kek.file, kek.passphraseFile];
  return files.filter((path) => path !== undefined).flatMap((path): Finding[] => {
    const mode = process.geteuid === undefined ? 0 : infoOf(path)?.mode ?? 0;
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
