import { isRekeyError } from "../../core/errors.ts";
import { exposureOf } from "../../files/exposure.ts";
import { makePrivate } from "../../files/private_files.ts";
import type { KekSources } from "../../store/kek_sources.ts";
import type { Finding } from "../finding.ts";
import { type OpenDoctorContext, rekey } from "../context.ts";

/** The key-encryption key: there, the right one, and nobody else's to read. */
export async function kekCheck(context: OpenDoctorContext): Promise<Finding[]> {
  return [...await missing(context), ...exposed(context)];
}

async function missing(context: OpenDoctorContext): Promise<Finding[]> {
  try {
    await context.installation.kek();
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
        `\`${rekey(context, "restore BACKUP --force --new-secret")}\``,
      command: `# ${hint}`,
    }];
  }
}

function exposed({ installation }: OpenDoctorContext): Finding[] {
  const { file, passphraseFile } = sourcesOf(installation);
  const files = [installation.generatedKeyFile(), file, passphraseFile];
  return files.filter((path) => path !== undefined).flatMap((path): Finding[] => {
    const exposure = exposureOf(path);
    if (exposure === undefined) return [];
    const what = `${path} can be read by other users (${exposure.shown})`;
    if (exposure.isReadOnly) return [readable(what)];
    const finding = { ...byOthers(what), command: exposure.fix };
    return [exposure.mayFix ? { ...finding, mend: () => makePrivate(path) } : finding];
  });
}

// What cannot be used is a finding already.
function sourcesOf(installation: OpenDoctorContext["installation"]): Partial<KekSources> {
  try {
    return installation.kekSources();
  } catch (error) {
    if (isRekeyError(error)) return {};
    throw error;
  }
}

function byOthers(what: string): Omit<Finding, "command"> {
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
