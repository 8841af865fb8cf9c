import type { Programs } from "../../system/system.ts";
import { HERE } from "../../system/here.ts";
import { asRefusal, asRefusalOrBug, isRekeyError, RekeyError } from "../../core/errors.ts";
import type { ProcessId } from "../../files/processes.ts";
import { forgetHolder, noteHolder, type Started } from "../../secret/holders.ts";
import { usesEtcd } from "../etcd_settings.ts";
import { backendAt } from "../../cluster/backend.ts";
import { SecretManager } from "../../secret/manager.ts";
import { type Context, variable } from "../context.ts";
import type { Ending } from "../shell_command.ts";
import { findProgram, notExecutable, shown } from "../exec/child.ts";
import { type Given, Supervisor, Watch } from "../exec/supervisor.ts";
import { inCallersEnvironment } from "../environment.ts";
import { lenientStreams, NOT_WRITTEN_DOWN, Output, ProgramEnded } from "../output.ts";

/** Flags of `rekey exec`. Durations in seconds. */
export interface ExecFlags {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  readonly onRotate?: "restart" | { readonly signal: Deno.Signal };
  readonly graceStop: number;
  /** The program's name, and its arguments. */
  readonly command: readonly [name: string, ...args: string[]];
}

// Another process writes for an instant; who holds the database longer is not to hold up signals.
const WAIT_MS = 250;

// That the secret is handed on belongs in the audit log. Many programs may start at once, on a machine where each writer
// takes a while.
const NOTE_WAIT_MS = 2_000;

const FOLLOW_MS = 2_000;

/** Runs a program that has the secret in its environment. */
export async function exec(options: ExecFlags, context: Context): Promise<void> {
  const { secrets, output } = context;
  const given = await give(secrets, options, output);
  const become = options.onRotate === undefined ? HERE.programs.become : undefined;
  if (become !== undefined) await noteStart(secrets, { pid: Deno.pid }, given, output);
  // Neither the program nor its parent needs the files that are open.
  secrets.close();
  if (become !== undefined) throw replaceBy(become, given);
  const ending = await supervise(options, context, given);
  if ("status" in ending) throw new ProgramEnded(ending.status);
  HERE.programs.dieOf(ending.signal);
  // The first process of a container does not die of its own signals.
  throw new ProgramEnded(128 + ending.signal);
}

type Become = NonNullable<Programs["become"]>;

/** Becomes the program; when that cannot be done, answers why. */
function replaceBy(become: Become, { program, variables }: Given): Error {
  inCallersEnvironment(() => {
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    become(program.path, [program.name, ...program.args]);
  });
  return notExecutable(program.name);
}

async function supervise(
  options: ExecFlags,
  { secrets: { environment }, output: { options: outputOptions } }: Context,
  given: Given,
): Promise<Ending> {
  HERE.serving.setNotDumpable();
  const { onRotate, graceStop } = options;
  const output = new Output(outputOptions, lenientStreams);
  const warn = (text: string) => output.warning(text);
  const secrets = new SecretManager({ ...environment, waitMs: WAIT_MS }, backendAt);
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

/** Writes down who has the secret, so that a rotation can name who still has the old one. */
async function noteStart(
  secrets: SecretManager,
  process: Pick<Started, "pid" | "keeper">,
  { program, kid, written }: Given,
  output: Output,
): Promise<ProcessId | undefined> {
  const started = { ...process, kid, program: shown(program.name) };
  const id = await secrets.open().then(({ installation }) =>
    // What keeps the one from being written keeps the other, and was waited for.
    noteHolder(installation, started, written ? NOTE_WAIT_MS : 0)
  ).catch(asRefusal);
  if (typeof id === "object" && !isRekeyError(id)) return id;
  if (id !== "ended" && written) output.warning(NOT_NAMED);
}

const NOT_NAMED = "it could not be written down that this program has the secret: " +
  "a rotation will not name it";

function noting(secrets: SecretManager, onRotate: ExecFlags["onRotate"], output: Output) {
  let id: ProcessId | undefined;
  const signal = typeof onRotate === "object" ? onRotate.signal : null;
  // Without a reaction it is only watched until it ends.
  const keeper = onRotate === undefined ? {} : { keeper: { signal } };
  const forget = async () => {
    if (id !== undefined) forgetHolder((await secrets.open()).installation, id);
    id = undefined;
  };
  return {
    began: async (pid: number, given: Given) => {
      secrets.refresh();
      await forget().catch(asRefusal);
      id = await noteStart(secrets, { pid, ...keeper }, given, output);
    },
    ended: () => forget().then(() => {}, asRefusal),
  };
}

// Of a fleet's rotations this machine has to ask. What keeps it from hearing of them is said once.
function followFleet(secrets: SecretManager, warn: (text: string) => void) {
  if (!usesEtcd(secrets.environment)) return undefined;
  let [asking, trouble]: [boolean, string | undefined] = [false, undefined];
  return setInterval(async () => {
    if (asking) return;
    asking = true;
    const outcome = await secrets.catchUp().catch(asRefusalOrBug);
    const { code, message } = outcome instanceof RekeyError ? outcome : {};
    if (code !== undefined && code !== trouble) {
      warn(`rotations elsewhere are not seen for now: ${message}`);
    }
    [asking, trouble] = [false, code];
  }, FOLLOW_MS);
}

/** The program and the current secret, as it is to have it. That it is handed on is written down first. */
async function give(
  secrets: SecretManager,
  { command: [name, ...args], env }: ExecFlags,
  output: Output,
): Promise<Given> {
  const program = findProgram(name, args, variable("PATH"));
  letKeyringAnswer(secrets);
  await secrets.catchUp();
  const { secret } = await secrets.get(`exec ${shown(program.name)}`);
  if (secret.reveal().includes("\0")) throw notForEnvironment();
  const written = await secrets.flushNotes(NOTE_WAIT_MS);
  if (!written) output.warning(NOT_WRITTEN_DOWN);
  const held = env.map((variable) => [variable, secret.reveal()] as const);
  const variables = { REKEY_KID: secret.kid, ...Object.fromEntries(held) };
  return { program, kid: secret.kid, variables, written };
}

// Only a value that another program put into the keyring can be one: `import` refuses it.
function notForEnvironment(): RekeyError {
  return new RekeyError("failed", "Cannot hand on the secret: it has a NUL character", {
    hint: "No environment variable can hold it; `rekey rotate` makes one that fits",
  });
}

function letKeyringAnswer(secrets: SecretManager): void {
  secrets.refresh();
  const { keyring } = secrets.environment;
  // A service that waits for its user is not to ask again and again.
  if (!keyring.isStuck) keyring.retry();
}
