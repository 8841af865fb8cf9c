import { SYSTEM } from "../../system/system.ts";
import { asRefusal, asRefusalOrBug, isRekeyError, RekeyError } from "../../core/errors.ts";
import { forgetHolder, noteHolder, type Started } from "../../secret/holders.ts";
import { CLUSTER } from "../../cluster/backend.ts";
import { SecretManager } from "../../secret/manager.ts";
import { type Context, usesEtcd, variable } from "../context.ts";
import type { Ending } from "../../system/command_line.ts";
import { findProgram, notExecutable, shown } from "../exec/child.ts";
import { type Handout, Supervisor, Watch } from "../exec/supervisor.ts";
import { inCallersEnvironment } from "../environment.ts";
import { lenientStreams, NOT_LOGGED, Output, ProgramEnded } from "../output.ts";
import type { ProcessId, Programs } from "../../system/processes.ts";

/** Flags of `rekey exec`. Durations in seconds. */
export interface ExecFlags {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  readonly onRotate?: "restart" | { readonly signal: Deno.Signal };
  readonly graceStop: number;
  /** The program's name, and its arguments. */
  readonly command: readonly [name: string, ...args: string[]];
}

// Other writers are quick, and waiting longer for the database would delay signals.
const WAIT_MS = 250;

// That the secret is handed on belongs in the audit log. Many programs may start at once, on a machine where each writer
// takes a while.
const NOTE_WAIT_MS = 2_000;

const FOLLOW_MS = 2_000;

/** Runs a program that has the secret in its environment. */
export async function exec(options: ExecFlags, context: Context): Promise<void> {
  const { secrets, output } = context;
  const given = await give(secrets, options, output);
  const become = options.onRotate === undefined ? SYSTEM.programs.replaceProcess : undefined;
  if (become !== undefined) await noteStart(secrets, { pid: Deno.pid }, given, output);
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
  given: Handout,
): Promise<Ending> {
  SYSTEM.serving.setNotDumpable();
  const { onRotate, graceStop } = options;
  const output = new Output(outputOptions, lenientStreams);
  const warn = (text: string) => output.warning(text);
  const secrets = new SecretManager({ ...environment, waitMs: WAIT_MS }, CLUSTER);
  const watch = new Watch(environment, warn);
  const following = followFleet(secrets, warn);
  const around = {
    watch,
    warn,
    remark: (text: string) => output.remark(text),
    give: () => give(secrets, options, output),
    ...noting(secrets, onRotate, output),
  };
  try {
    const reaction = onRotate === "restart" ? { restartAfterMs: graceStop * 1000 } : onRotate;
    return await new Supervisor(reaction, around, given).ended();
  } finally {
    await around.ended();
    clearInterval(following);
    watch.close();
    secrets.close();
  }
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

function noting(secrets: SecretManager, onRotate: ExecFlags["onRotate"], output: Output) {
  let id: ProcessId | undefined;
  const signal = typeof onRotate === "object" ? onRotate.signal : null;
  // Without --on-rotate the program is only waited for.
  const keeper = onRotate === undefined ? {} : { keeper: { signal } };
  const forget = async () => {
    if (id !== undefined) forgetHolder((await secrets.open()).installation, id);
    id = undefined;
  };
  return {
    began: async (pid: number, given: Handout) => {
      secrets.refresh();
      await forget().catch(asRefusal);
      id = await noteStart(secrets, { pid, ...keeper }, given, output);
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

/** Gets the program and the current secret. The audit log records the handout first. */
async function give(
  secrets: SecretManager,
  { command: [name, ...args], env }: ExecFlags,
  output: Output,
): Promise<Handout> {
  const program = findProgram(name, args, variable("PATH"));
  letKeyringAnswer(secrets);
  await secrets.catchUp();
  const { secret } = await secrets.get(`exec ${shown(program.name)}`);
  if (secret.reveal().includes("\0")) throw notForEnvironment();
  const written = await secrets.flushNotes(NOTE_WAIT_MS);
  if (!written) output.warning(NOT_LOGGED);
  const held = env.map((variable) => [variable, secret.reveal()] as const);
  const variables = { REKEY_KID: secret.kid, ...Object.fromEntries(held) };
  return { program, kid: secret.kid, variables, written };
}

// Only another program can put such a value into the keyring: `import` refuses it.
function notForEnvironment(): RekeyError {
  return new RekeyError("failed", "Cannot pass on the secret: it has a NUL character", {
    hint: "Environment variables cannot hold it; `rekey rotate` makes a new secret",
  });
}

function letKeyringAnswer(secrets: SecretManager): void {
  secrets.refresh();
  const { keyring } = secrets.environment;
  // A keyring that waits for its user must not prompt again and again.
  if (!keyring.isStuck) keyring.retry();
}
