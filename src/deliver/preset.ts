import * as z from "zod";
import { usageError } from "../core/errors.ts";
import { ALGORITHMS } from "../core/algorithms.ts";
import { FORMATS } from "./render.ts";
import { ALL_OF_A_KEY, checkTemplate, type TemplateUse } from "./templates.ts";

// A preset is data: it can be printed, changed and used with --preset-file.

/** Most characters of a template. */
export const LONGEST_TEMPLATE = 65_536;

/** A mustache text: parameters, `path`, and where it says so the parts of a key. */
const template = () => z.string().max(LONGEST_TEMPLATE);
const seconds = () => z.number().min(1).max(600);

/** A program with its arguments; no shell reads them. Its name is absolute, or found in PATH. */
const argv = () => z.array(template()).min(1).max(100);

const commandReload = z.strictObject({
  command: argv(),
  timeout_s: seconds().optional(),
  only_for: z.enum(["removal"]).optional(),
});

/** A line sent to a socket, and a regular expression that the whole answer must match, without white space around it. */
const step = z.strictObject({
  send: template(),
  expect: z.string().max(1_000).optional(),
  /** Name under which the first group of `expect` is known to the steps after it. */
  as: z.string().regex(/^[a-z][a-z0-9_]{0,30}$/).optional(),
  /** Sent once for each key, whose parts it may use. */
  each: z.enum(["verifying", "previous"]).optional(),
});

const socketReload = z.strictObject({
  /** Path of a Unix socket. Each step is a connection of its own, and its answer ends where the program closes it. */
  socket: template(),
  dialogue: z.array(step).min(1).max(50),
  timeout_s: seconds().optional(),
});

/** Regular expressions that the output or body must match besides, where the status alone does not tell. */
const outputs = {
  accepted_output: z.string().max(1_000).optional(),
  refused_output: z.string().max(1_000).optional(),
};

const httpProbe = z.strictObject({
  http: z.strictObject({
    url: template(),
    method: z.enum(["GET", "HEAD", "POST"]).optional(),
    /** `Name: value`. */
    header: template().optional(),
    accepted: z.array(z.int().min(100).max(599)).min(1),
    refused: z.array(z.int().min(100).max(599)).min(1),
    ...outputs,
  }),
  timeout_s: seconds().optional(),
});

const commandProbe = z.strictObject({
  command: argv(),
  env: z.record(z.string().regex(/^[A-Za-z_]\w*$/), template()).optional(),
  stdin: template().optional(),
  accepted: z.array(z.int().min(0).max(255)).min(1),
  refused: z.array(z.int().min(0).max(255)).min(1),
  ...outputs,
  timeout_s: seconds().optional(),
});

const preset = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/),
  /** One line. */
  summary: z.string().max(200),
  /** The program and the versions that it was tried with. */
  program: z.string().max(200),
  role: z.enum(["verifier", "signer"]),
  /** How many keys the program holds. */
  keys: z.union([z.literal("many"), z.literal(1)]),
  algorithms: z.array(z.enum(ALGORITHMS)).min(1),
  reload_kind: z.enum(["at once", "reload", "restart", "runtime"]),
  /** What happens to open connections and sessions, in a sentence. */
  connections: z.string().max(400),
  layout: z.enum(["file", "folder"]).optional(),
  /** For a folder: the path of a key's file in it. */
  file_name: template().optional(),
  /** For a folder: which kind of keys has files of its own; without it both. */
  files_for: z.enum(["hmac", "pair"]).optional(),
  /** For a folder: more files, by name; templates of all keys. */
  index: z.record(z.string().regex(/^[\w-][\w.-]{0,59}$/), template()).optional(),
  format: z.enum(FORMATS).optional(),
  template: template().optional(),
  /** Mode of each file, in octal. Other users have no rights. */
  mode: z.string().regex(/^0[0-7][0-7]0$/).optional(),
  owner: z.string().max(64).nullable().optional(),
  group: z.string().max(64).nullable().optional(),
  /** Where the file goes unless --path says it. */
  path: template().optional(),
  parameters: z.record(
    z.string().regex(/^[a-z][a-z0-9_]{0,30}$/),
    z.strictObject({ about: z.string().max(200), default: z.string().max(1_000).optional() }),
  ).optional(),
  reload: z.union([commandReload, socketReload]).nullable().optional(),
  probe: z.union([httpProbe, commandProbe]).nullable().optional(),
  /** Claims of probe tokens; texts are templates. `iat`, `exp` and `jti` are added. */
  claims: z.record(z.string(), z.unknown()).optional(),
  /** Files that the program's configuration needs, by name: `rekey deliver presets NAME --print FILE`. */
  files: z.record(z.string().regex(/^[\w.-]{1,60}$/), z.string().max(65_536)).optional(),
  /** Page in docs/. */
  docs: z.string().max(200).optional(),
});

/** How one program gets keys: contents, layout, rights, reload, probe, and what an operator must know. */
export type Preset = z.infer<typeof preset>;
export type Reload = NonNullable<Preset["reload"]>;
export type Step = z.infer<typeof step>;
export type Probe = NonNullable<Preset["probe"]>;

/** Names that templates of a preset may use besides its parameters: where. */
const ALWAYS = ["path", "folder", "name"];

/**
 * Checks a preset.
 *
 * @param value parsed JSON.
 * @throws {RekeyError} `usage` that names the part at fault.
 */
export async function parsePreset(value: unknown): Promise<Preset> {
  const { success, data, error } = preset.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const where = issue?.path.join(".") || "its top";
    throw wrong(`${where}: ${issue?.message ?? "wrong"}`);
  }
  const fault = faultOf(data);
  if (fault !== undefined) throw wrong(fault);
  await checkTemplates(data);
  return data;
}

function faultOf(checked: Preset) {
  const { format, template, layout, file_name, index, files_for, keys, probe, reload } = checked;
  if ((format === undefined) === (template === undefined)) return "it needs a format or a template";
  if ((layout === "folder") !== (file_name !== undefined)) {
    return "a folder has a file_name, a file has none";
  }
  if (layout === "folder" && keys === 1) return "a folder holds many keys";
  if (layout !== "folder" && (index ?? files_for)) return "only a folder has index and files_for";
  const header = probe && "http" in probe ? probe.http.header : undefined;
  if (header !== undefined && !/^[\w-]+:./.test(header)) {
    return "the header of a probe is written `Name: value`";
  }
  const bad = [...patternsOf(probe), ...patternsOf(reload)].find((pattern) => !isPattern(pattern));
  return bad && `${JSON.stringify(bad)} is no regular expression`;
}

function patternsOf(part: Probe | Reload | null | undefined): string[] {
  if (part === null || part === undefined) return [];
  if ("dialogue" in part) return part.dialogue.flatMap(({ expect }) => expect ?? []);
  const { accepted_output = [], refused_output = [] } = "http" in part
    ? part.http
    : "accepted" in part
    ? part
    : {};
  return [accepted_output, refused_output].flat();
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
}

async function checkTemplates(checked: Preset): Promise<void> {
  const { template, file_name, path, reload, probe, claims = {}, parameters = {}, index = {} } =
    checked;
  const names = [...Object.keys(parameters), ...ALWAYS];
  const check = async (
    text: string | undefined,
    more: readonly string[] = [],
    use: TemplateUse = "none",
  ) => {
    if (text !== undefined) await checkTemplate(text, [...names, ...more], use);
  };
  const isOfOne = file_name !== undefined;
  await check(template, isOfOne ? ALL_OF_A_KEY : [], "keys");
  await check(file_name, ["kid", "alg"]);
  for (const text of Object.values(index)) await check(text, [], "keys");
  await check(path);
  if (reload && "command" in reload) { for (const word of reload.command) await check(word); }
  if (reload && "dialogue" in reload) {
    await check(reload.socket);
    const known = reload.dialogue.flatMap(({ as }) => as ?? []);
    for (const { send, each } of reload.dialogue) await check(send, known, each ? "key" : "none");
  }
  for (const text of textsOf(probe)) await check(text, ["token"]);
  for (const text of Object.values(claims)) if (typeof text === "string") await check(text);
}

function textsOf(probe: Probe | null | undefined): (string | undefined)[] {
  if (!probe) return [];
  if ("http" in probe) return [probe.http.url, probe.http.header];
  return [...probe.command, ...Object.values(probe.env ?? {}), probe.stdin];
}

function wrong(why: string) {
  return usageError(
    `Cannot use the preset: ${why}`,
    "`rekey deliver presets NAME` prints one to begin with",
  );
}
