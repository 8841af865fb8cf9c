import { SYSTEM } from "../../system/system.ts";
import {
  asRefusal,
  asRefusalOrBug,
  isRekeyError,
  RekeyError,
  usageError,
} from "../../core/errors.ts";
import { forgetHolder, noteHolder, type Started } from "../../secret/holders.ts";
import { noteKeys } from "../../secret/keys_files.ts";
import { retrieve } from "../../secret/retrieve.ts";
import { SecretManager } from "../../secret/manager.ts";
import { type Context, loadCluster, usesEtcd, variable } from "../context.ts";
import type { Ending } from "../../system/command_line.ts";
import { notExecutable, shown } from "../exec/child.ts";
import {
  give,
  type Handout,
  letKeyringAnswer,
  NOTE_WAIT_MS,
  purposeOf,
  type Wanted,
} from "../exec/handout.ts";
import { KeysFile } from "../exec/keys_file.ts";
import { makeKeysFolder } from "../exec/keys_folder.ts";
import { Supervisor } from "../exec/supervisor.ts";
import { versionsOf, Watch } from "../exec/watch.ts";
import { isPrepared, type Version } from "../../store/sqlite/versions.ts";
import { resolve } from "node:path";
import { inCallersEnvironment } from "../environment.ts";
import { lenientStreams, Output, ProgramEnded } from "../output.ts";
import { sendAudit } from "../audit_stream.ts";
import type { Environment } from "../../store/environment.ts";
import type { ProcessId, Programs } from "../../system/processes.ts";

/** Flags of `rekey exec`. Durations in seconds. */
export interface ExecFlags {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  /** The variable for the newest value in a grace window; false for none. */
  readonly envPrevious?: string | false;
  /** Whether the program gets a file of keys, and in which folder; default: in memory. */
  readonly keysFile?: boolean;
  readonly keysDir?: string;
  readonly onRotate?: "restart" | { readonly signal: Deno.Signal };
  readonly graceStop: number;
  /** The program's name, and its arguments. */
  readonly command: readonly [name: string, ...args: string[]];
}

// Other writers are quick, and waiting longer for the database would delay signals.
const WAIT_MS = 250;

const FOLLOW_MS = 2_000;

/** Runs a program that has the secret in its environment. */
export async function exec(options: ExecFlags, context: Context): Promise<void> {
  const { secrets, output } = context;
  const given = await give(secrets, wantedBy(options), output);
  const stays = options.onRotate !== undefined || hasKeysFile(options);
  const become = stays ? undefined : SYSTEM.programs.replaceProcess;
  if (become !== undefined) await noteStart(secrets, { pid: Deno.pid }, given, output);
  await sendAudit(context);
  // Neither the program nor its parent needs the open files.
  secrets.close();
  if (become !== undefined) throw replaceBy(become, given);
  const ending = await supervise(options, context, given);
  if ("status" in ending) throw new ProgramEnded(ending.status);
  SYSTEM.programs.dieOf(ending.signal);
  // PID 1 of a container does not die of its own signals.
  throw new ProgramEnded(128 + ending.signal);
}

const hasKeysFile = ({ keysFile, keysDir }: ExecFlags) =>
  keysFile === true || keysDir !== undefined;

const ENV_PREVIOUS = "JWT_SECRET_PREVIOUS";

/** @throws {RekeyError} `usage` when one variable would have two values. */
function wantedBy(flags: ExecFlags): Wanted {
  const { env, envPrevious, command } = flags;
  const isTaken = (name: string) => env.some((other) => other.toUpperCase() === name.toUpperCase());
  if (typeof envPrevious === "string" && isTaken(envPrevious)) {
    throw usageError(
      `Cannot put two values into ${envPrevious}`,
      "Give --env and --env-previous different names",
    );
  }
  const isUsual = envPrevious === undefined && !isTaken(ENV_PREVIOUS);
  const previous = (isUsual ? ENV_PREVIOUS : envPrevious) || undefined;
  return { env, envPrevious: previous, hasFile: hasKeysFile(flags), command };
}

type Become = NonNullable<Programs["replaceProcess"]>;

/** Replaces this process with the program. @returns the error if that failed. */
function replaceBy(become: Become, { program, variables }: Handout): Error {
  inCallersEnvironment(() => {
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    become(program.path, [program.name, ...program.args]);
  });
  return notExecutable(program.name);
}

async function supervise(
  options: ExecFlags,
  { secrets: { environment }, output: { options: outputOptions } }: Context,
  first: Handout,
): Promise<Ending> {
  SYSTEM.serving.setNotDumpable();
  const { onRotate, graceStop } = options;
  const output = new Output(outputOptions, lenientStreams);
  const warn = (text: string) => output.warning(text);
  const secrets = new SecretManager({ ...environment, waitMs: WAIT_MS }, loadCluster);
  const watch = new Watch(environment, warn);
  const following = followFleet(secrets, warn);
  const audit = await streamOf(environment, output);
  const keysFile = hasKeysFile(options) ? newKeysFile(secrets, options, first, warn) : undefined;
  const withKeys = (given: Handout): Handout =>
    keysFile === undefined
      ? given
      : { ...given, variables: { ...given.variables, REKEY_KEYS_FILE: keysFile.path } };
  const around = {
    watch,
    keysFile,
    warn,
    remark: (text: string) => output.remark(text),
    give: async () => withKeys(await give(secrets, wantedBy(options), output)),
    ...noting(secrets, options, output, keysFile),
  };
  try {
    if (keysFile !== undefined) await fill(keysFile, secrets);
    const reaction = onRotate === "restart" ? { restartAfterMs: graceStop * 1000 } : onRotate;
    return await new Supervisor(reaction, around, withKeys(first)).ended();
  } finally {
    keysFile?.remove();
    await around.ended();
    clearInterval(following);
    await audit?.stop();
    watch.close();
    secrets.close();
  }
}

/** Sends the audit log while the program runs, if it is to be sent. */
async function streamOf(environment: Environment, output: Output) {
  if (environment.auditTo === undefined) return undefined;
  const { AuditStream } = await import("../../serve/audit_stream.ts");
  const warn = (text: string) => output.warning(text);
  return new AuditStream({
    environment,
    warn,
    remark: (text) => output.remark(text),
    // Its own message may quote a secret.
    onBug: (error) => warn(asRefusalOrBug(error).message),
  });
}

function newKeysFile(
  secrets: SecretManager,
  { keysDir }: ExecFlags,
  { program }: Handout,
  warn: (text: string) => void,
): KeysFile {
  const folder = makeKeysFolder(keysDir && resolve(keysDir), variable("XDG_RUNTIME_DIR"));
  const read = async (version: Version) => {
    letKeyringAnswer(secrets);
    // A rotation that is not committed may not have written the value yet: no fault for the log.
    if (version.state === "pending" && !isPrepared(version)) {
      const { installation } = await secrets.open();
      return (await retrieve(installation, version, () => {})).secret;
    }
    const { secret } = await secrets.valueOf(version, purposeOf(program));
    await secrets.flushNotes(NOTE_WAIT_MS);
    return secret;
  };
  return new KeysFile(folder, read, warn);
}

/** Writes the file for the first time. @throws {RekeyError} when the current key cannot be in it. */
async function fill(keysFile: KeysFile, secrets: SecretManager): Promise<void> {
  const { installation, version } = await secrets.open();
  await keysFile.update(versionsOf(installation, version));
  keysFile.mustHold(version.kid);
}

/** Records which process has the secret, so that a rotation can name processes with an old one. */
async function noteStart(
  secrets: SecretManager,
  process: Pick<Started, "pid" | "keeper">,
  { program, kid, written }: Handout,
  output: Output,
): Promise<ProcessId | undefined> {
  const started = { ...process, kid, program: shown(program.name) };
  const id = await secrets.open().then(({ installation }) =>
    // If the audit row could not be written, the same lock blocks this too: no second wait.
    noteHolder(installation, started, written ? NOTE_WAIT_MS : 0)
  ).catch(asRefusal);
  if (typeof id === "object" && !isRekeyError(id)) return id;
  if (id !== "ended" && written) output.warning(NOT_NAMED);
}

const NOT_NAMED = "could not record that this program has the secret: a rotation will not name it";

function noting(
  secrets: SecretManager,
  options: ExecFlags,
  output: Output,
  keysFile: KeysFile | undefined,
) {
  let id: ProcessId | undefined;
  const { onRotate } = options;
  // With a file of keys the program is told by the file.
  const told = hasKeysFile(options) ? "keys-file" : null;
  const signal = typeof onRotate === "object" ? onRotate.signal : told;
  // Without --on-rotate the program is only waited for.
  const isKept = onRotate !== undefined || told !== null;
  const kept = () => ({ signal: onRotate === "restart" ? null : signal, keys: keysFile?.kids });
  const forget = async () => {
    if (id !== undefined) forgetHolder((await secrets.open()).installation, id);
    id = undefined;
  };
  return {
    began: async (pid: number, given: Handout) => {
      secrets.refresh();
      await forget().catch(asRefusal);
      const keeper = isKept ? { keeper: kept() } : {};
      id = await noteStart(secrets, { pid, ...keeper }, given, output);
    },
    keysWritten: async (kids: readonly string[]) => {
      if (id === undefined) return true;
      const opened = await secrets.open().catch(asRefusal);
      return !isRekeyError(opened) && noteKeys(opened.installation, id, kids);
    },
    ended: () => forget().then(() => {}, asRefusal),
  };
}

// Polls etcd for rotations of a fleet. Each problem is reported once.
function followFleet(secrets: SecretManager, warn: (text: string) => void) {
  if (!usesEtcd(secrets.environment)) return undefined;
  let [asking, trouble]: [boolean, string | undefined] = [false, undefined];
  return setInterval(async () => {
    if (asking) return;
    asking = true;
    const outcome = await secrets.catchUp().catch(asRefusalOrBug);
    const { code, message } = outcome instanceof RekeyError ? outcome : {};
    if (code !== undefined && code !== trouble) {
      warn(`rotations of other machines are not seen at present: ${message}`);
    }
    [asking, trouble] = [false, code];
  }, FOLLOW_MS);
}
