import { REPLACED } from "../boot/appended.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { FileLack } from "../system/processes.ts";
import { SYSTEM } from "../system/system.ts";

// A command has some twenty files open at most, with a keyring and etcd some more.
const ENOUGH_FILES = 64;

/** What is printed for an error that has ended a command. */
export function refusalFor(error: unknown): RekeyError {
  const refusal = isRekeyError(error) ? error : unexpected(error);
  if (!["internal", "failed", "database_unusable"].includes(refusal.code)) return refusal;
  // Neither the runtime nor SQLite always says why it cannot open a file.
  const lack = SYSTEM.processes.lackOfFiles(ENOUGH_FILES);
  return lack === undefined ? refusal : withFewFiles(refusal, lack, isRekeyError(error));
}

// Any other error is a bug in rekey; REKEY_DEBUG shows where it happened.
function unexpected(error: unknown): RekeyError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  if (name === REPLACED) {
    return new RekeyError("failed", "Cannot load the command: the executable was replaced", {
      hint: "Run the command again",
      cause: error,
    });
  }
  // A library's message may quote secrets, so it is shown only on request.
  const details = isDebugged() ? `: ${message}\n${stack}` : "";
  return new RekeyError("internal", `Internal error, a bug in rekey: ${name}${details}`, {
    hint: "Please report it; REKEY_DEBUG=1 shows where it happened",
    cause: error,
  });
}

const isDebugged = () => Boolean(Deno.env.get("REKEY_DEBUG"));

function withFewFiles(refusal: RekeyError, lack: FileLack, isExplained: boolean): RekeyError {
  const { code, message, hint = "" } = refusal;
  const { why, inherited } = lack;
  const raise = `\`ulimit -n ${ENOUGH_FILES + inherited}\``;
  // It may be a bug all the same.
  if (!isExplained && !isDebugged()) {
    return new RekeyError("failed", `Cannot go on: ${why}`, {
      hint: `Raise that (${raise}) and run the command again`,
      cause: refusal,
    });
  }
  if (hint.includes("ulimit -n")) return refusal;
  const both = [hint, `${why}, which ${raise} raises`].filter((part) => part !== "").join("; ");
  return new RekeyError(code, message, { hint: both, cause: refusal });
}
