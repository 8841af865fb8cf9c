import { SYSTEM } from "../../system/system.ts";
import { asRefusalOrBug, RekeyError } from "../../core/errors.ts";
import { hasEnded } from "../../secret/holders.ts";
import { retrieve } from "../../secret/retrieve.ts";
import { SecretManager } from "../../secret/manager.ts";
import { type Context, loadCluster, usesEtcd, variable } from "../context.ts";
import type { Ending } from "../../system/command_line.ts";
import { beforeStart } from "../exec/before_start.ts";
import { notExecutable } from "../exec/child.ts";
import { HandoutNote, noteStart } from "../exec/handout_note.ts";
import { give, type Handout, letKeyringAnswer, NOTE_WAIT_MS, purposeOf } from "../exec/handout.ts";
import { KeysFile } from "../exec/keys_file.ts";
import { makeKeysFolder } from "../exec/keys_folder.ts";
import { Supervisor } from "../exec/supervisor.ts";
import { type ExecFlags, hasKeysFile, wantedBy } from "../exec/wanted.ts";
import { Watch } from "../exec/watch.ts";
import { isPrepared, type Version } from "../../store/sqlite/versions.ts";
import { resolve } from "node:path";
import { inCallersEnvironment } from "../environment.ts";
import { lenientStreams, Output, ProgramEnded } from "../output.ts";
import { sendAudit } from "../audit_stream.ts";
import type { Environment } from "../../store/environment.ts";
import type { Programs } from "../../system/processes.ts";

// Other writers are quick, and waiting longer for the database would delay signals.
const WAIT_MS = 250;

const FOLLOW_MS = 2_000;

/** Seconds that a program has to end before it is started again. */
const GRACE_STOP = 10;

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

type Become = NonNullable<Programs["replaceProcess"]>;

/** Replaces this process with the program. @returns the error if that failed. */
function replaceBy(become: Become, { program, variables, absent }: Handout): Error {
  inCallersEnvironment(() => {
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    become(program.path, [program.name, ...program.args]);
  }, absent);
  return notExecutable(program.name);
}

async function supervise(
  options: ExecFlags,
  { secrets: { environment }, output: { options: outputOptions } }: Context,
  first: Handout,
): Promise<Ending> {
  SYSTEM.serving.setNotDumpable();
  const { onRotate, graceStop = GRACE_STOP } = options;
  const output = new Output(outputOptions, lenientStreams);
  const warn = (text: string) => output.warning(text);
  const secrets = new SecretManager({ ...environment, waitMs: WAIT_MS }, loadCluster);
  const watch = new Watch(environment, warn);
  const following = await followFleet(secrets, warn);
  const audit = await streamOf(environment, output);
  const keysFile = hasKeysFile(options) ? newKeysFile(secrets, options, first, warn) : undefined;
  const note = new HandoutNote(secrets, output, keeperOf(options, keysFile));
  const around = {
    watch,
    keysFile,
    warn,
    remark: (text: string) => output.remark(text),
    give: async () => withKeys(await give(secrets, wantedBy(options), output), keysFile),
    began: (pid: number, given: Handout) => note.write(pid, given),
    madeUp: () => note.makeUp(),
    followed: (kids: readonly string[] | undefined) => note.setKeys(kids),
  };
  try {
    const given = withKeys(first, keysFile);
    await beforeStart(secrets, keysFile, note, given);
    const reaction = onRotate === "restart" ? { restartAfterMs: graceStop * 1000 } : onRotate;
    return await new Supervisor(reaction, around, given).ended();
  } finally {
    keysFile?.remove();
    await note.delete();
    clearInterval(following);
    await audit?.stop();
    watch.close();
    secrets.close();
  }
}

function withKeys(given: Handout, keysFile: KeysFile | undefined): Handout {
  if (keysFile === undefined) return given;
  return { ...given, variables: { ...given.variables, REKEY_KEYS_FILE: keysFile.path } };
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
    const found = await valueUnlessEnded(secrets, version, purposeOf(program));
    await secrets.flushNotes(NOTE_WAIT_MS);
    return found?.secret;
  };
  return new KeysFile(folder, read, warn);
}

/** A version's value; `undefined` when a rotation has ended it, and destroyed the value, while it was read. */
async function valueUnlessEnded(secrets: SecretManager, version: Version, purpose: string) {
  try {
    return await secrets.valueOf(version, purpose);
  } catch (error) {
    if (!hasEnded((await secrets.open()).installation, version.kid)) throw error;
    return undefined;
  }
}

/** What is recorded of this process: how it handles the program after a rotation; `undefined` when it only waits for it. */
function keeperOf(options: ExecFlags, keysFile: KeysFile | undefined) {
  const { onRotate } = options;
  if (onRotate === undefined && keysFile === undefined) return () => undefined;
  // With a file of keys alone the program is told by the file.
  const signal = typeof onRotate === "object" ? onRotate.signal : "keys-file";
  return () => ({ signal: onRotate === "restart" ? null : signal, keys: keysFile?.kids });
}

// Polls etcd for rotations of a fleet. Each problem is reported once.
async function followFleet(secrets: SecretManager, warn: (text: string) => void) {
  if (!await usesEtcd(secrets.environment)) return undefined;
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
