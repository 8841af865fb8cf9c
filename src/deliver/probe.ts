import { randomUUID } from "node:crypto";
import { delay, type MaybeAsync } from "../core/async.ts";
import { isHmac } from "../core/algorithms.ts";
import { LEAST_RSA_BITS } from "../core/key_pair.ts";
import { Secret } from "../core/secret.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import { signCompact } from "../jwt/signatures.ts";
import { failureOf, runCommand } from "../system/command_line.ts";
import { SYSTEM } from "../system/system.ts";
import type { DeliveredKey } from "./key_set.ts";
import type { Preset, Probe } from "./preset.ts";
import { invocationOf, lastOf, spawned, startable, type Surroundings, withLine } from "./reload.ts";
import { fill } from "./templates.ts";

/** How long a program may take to follow unless its preset says so, in milliseconds. */
const FOLLOW_MS = 10_000;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/** Lifetime of a probe's token, in seconds. */
const TOKEN_SECONDS = 30;

/** How it is found out whether a program accepts a token: as a preset has it, or a shell command that reads it. */
export type ProbeWay = Probe | { readonly shell: string };

/** The verdict of a program; a text says why there is none. */
type ProbeAnswer = "accepted" | "refused" | { readonly unknown: string };

/** What probes need besides. */
export interface Probing {
  readonly claims: Preset["claims"];
  readonly policy: TokenPolicy;
  /** How long the program may take, in milliseconds; default: what its preset says, or ten seconds. */
  readonly limitMs?: number | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

/**
 * Tokens that a program is asked about: of a key that it holds, of one that has ended, one that a random key signed, and
 * one with the public key as an HMAC secret, which anyone can sign (RFC 8725 §2.1).
 */
export type TokenKind = "accepted" | "ended" | "forged" | "confused";

/**
 * Asks a program until it accepts or refuses tokens of a key, as it should.
 *
 * @param key for `forged` and `confused`: the key whose kid the token names; another one signs it.
 * @returns why it does not, in words without values; `undefined` if it does.
 */
export async function askProgram(
  way: ProbeWay,
  key: DeliveredKey,
  wanted: TokenKind,
  around: Surroundings,
  probing: Probing,
): Promise<string | undefined> {
  const usualMs = "timeout_s" in way && way.timeout_s ? way.timeout_s * 1_000 : FOLLOW_MS;
  const { limitMs = usualMs } = probing;
  const end = performance.now() + limitMs;
  const signing = { ...key, ...await FORGERIES[wanted]?.(key) };
  for (let pause = FIRST_PAUSE_MS;; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const token = await probeToken(signing, around, probing);
    around.confidential.add(token);
    const began = performance.now();
    // In whole seconds, since messages name it.
    const left = Math.max(Math.ceil((end - began) / 1_000), 1) * 1_000;
    const answer = await ask(way, token, left, around);
    if (around.signal.aborted) return "it was not asked to the end";
    if (answer === (wanted === "accepted" ? "accepted" : "refused")) return undefined;
    // No program takes time to follow here.
    if (answer === "accepted" && wanted in FORGERIES) return failed(answer, wanted, key.tokenKid);
    const now = performance.now();
    // One more would be cut off, and hide what this one has said.
    if (now + pause + (now - began) > end) return failed(answer, wanted, key.tokenKid);
    await delay(pause);
  }
}

type Forgery = (key: DeliveredKey) => MaybeAsync<Partial<DeliveredKey>>;

const FORGERIES: Partial<Record<TokenKind, Forgery>> = {
  forged: async ({ alg }) =>
    isHmac(alg)
      ? { secret: Secret.generate(), keyForm: "text" }
      : { secret: await (strangers[alg] ??= Secret.generatePair(alg, LEAST_RSA_BITS)) },
  confused: ({ secret }) => {
    return { secret: Secret.imported(secret.pair!.publicPem), keyForm: "text", alg: "HS256" };
  },
};

// An RSA key takes a while.
const strangers: Record<string, Promise<Secret>> = {};

const FAILURES: Readonly<Record<TokenKind, (kid: string) => string>> = {
  accepted: (kid) => `it does not accept tokens of kid ${kid}`,
  ended: (kid) => `it still accepts tokens of kid ${kid}, which has ended`,
  forged: () =>
    "it accepts any token, also one that a random key signed: is the probe's address guarded?",
  confused: () =>
    "it takes the public key for an HMAC secret, with which anyone can sign: " +
    "it must accept no other algorithm than the key's",
};

const NO_VERDICT = "its probe ";

function failed(answer: ProbeAnswer, wanted: TokenKind, kid: string): string {
  return typeof answer === "object" ? NO_VERDICT + answer.unknown : FAILURES[wanted](kid);
}

/** Whether a program failed without a verdict: it is down, hangs, or says something else. */
export function isSilence(failure: string | null): boolean {
  return failure?.startsWith(NO_VERDICT) ?? false;
}

async function probeToken(
  { secret, keyForm, alg, tokenKid }: DeliveredKey,
  { data }: Surroundings,
  { claims = {}, policy, now }: Probing,
): Promise<string> {
  const iat = Math.floor(now() / 1_000);
  const filled = await Promise.all(
    Object.entries(claims).map(async ([name, value]) =>
      [name, typeof value === "string" ? await fill(value, data) : value] as const
    ),
  );
  const own = { iss: policy.issuer?.[0], aud: policy.audience?.[0] };
  const payload = {
    sub: "rekey-probe",
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(filled),
    jti: randomUUID(),
    iat,
    exp: iat + TOKEN_SECONDS,
  };
  const header = { typ: policy.type ?? "JWT", kid: tokenKid };
  return signCompact(secret, { alg, key_form: keyForm }, header, payload);
}

async function ask(
  way: ProbeWay,
  token: string,
  limitMs: number,
  around: Surroundings,
): Promise<ProbeAnswer> {
  if ("http" in way) return await askHttp(way.http, token, limitMs, around);
  if ("shell" in way) return await askShell(way.shell, token, limitMs, around);
  return await askCommand(way, token, limitMs, around);
}

async function askHttp(
  { url, method = "GET", header, ...verdicts }: Extract<Probe, { http: unknown }>["http"],
  token: string,
  limitMs: number,
  { data, signal }: Surroundings,
): Promise<ProbeAnswer> {
  const withToken = { ...data, token };
  const [address, line] = await Promise.all(
    [url, header ?? "Authorization: Bearer {{token}}"].map((text) => fill(text, withToken)),
  ) as [string, string];
  const [, name = "", value = ""] = /^([^:]*):\s*(.*)$/.exec(line) ?? [];
  try {
    const response = await fetch(address, {
      method,
      headers: { [name]: value },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    });
    const { status } = response;
    return verdictOf(status, await bodyOf(response, verdicts), verdicts) ??
      { unknown: `got status ${status} from ${await placeOf(url, data)}` };
  } catch (error) {
    // Its message may quote the header.
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    const place = await placeOf(url, data);
    return { unknown: isLate ? `got no answer in time from ${place}` : `could not reach ${place}` };
  }
}

/** A probe's address for messages: without a user, a password or a query, in which there may be a token. */
async function placeOf(url: string, data: Readonly<Record<string, string>>): Promise<string> {
  const address = await fill(url, { ...data, token: "TOKEN" });
  if (!URL.canParse(address)) return "what is not a URL";
  const { origin, pathname } = new URL(address);
  return origin + pathname;
}

const LONGEST_BODY = 65_536;

/** The beginning of an answer's body, if a verdict depends on it. */
async function bodyOf(
  { body }: Response,
  { accepted_output, refused_output }: Pick<Verdicts, "accepted_output" | "refused_output">,
): Promise<string> {
  let text = "";
  if (body === null) return text;
  if ((accepted_output ?? refused_output) === undefined) {
    await body.cancel();
    return text;
  }
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.length > LONGEST_BODY) break;
  }
  return text;
}

// The token comes on stdin: arguments of a process are visible to other users.
async function askShell(
  line: string,
  token: string,
  limitMs: number,
  around: Surroundings,
): Promise<ProbeAnswer> {
  const way = { accepted: [0], refused: [1] };
  return await runProbe(SYSTEM.processes.shell(line), way, { stdin: token, limitMs }, around);
}

async function askCommand(
  way: Extract<Probe, { command: unknown }>,
  token: string,
  limitMs: number,
  around: Surroundings,
): Promise<ProbeAnswer> {
  const data = { ...around.data, token };
  const invocation = await invocationOf(way.command, data);
  const variables = await Promise.all(
    Object.entries(way.env ?? {}).map(async ([name, text]) => [name, await fill(text, data)]),
  );
  const stdin = way.stdin === undefined ? undefined : await fill(way.stdin, data);
  const env = Object.fromEntries(variables);
  return await runProbe(invocation, way, { env, stdin, limitMs }, around);
}

type Verdicts = Omit<Extract<Probe, { command: unknown }>, "command">;

async function runProbe(
  invocation: ReturnType<typeof SYSTEM.processes.shell>,
  verdicts: Verdicts,
  { env = {}, stdin, limitMs }: ProbeInput,
  { name, path, confidential, variables, signal }: Surroundings,
): Promise<ProbeAnswer> {
  let output = "";
  const options = {
    env: { ...variables, ...env, REKEY_DELIVERY: name, REKEY_PATH: path },
    stdin: stdin === undefined ? undefined : new TextEncoder().encode(stdin),
    limitMs,
    signal,
    ownGroup: true,
    takesStderr: true,
    take: (piece: Uint8Array) => output = lastOf(output + new TextDecoder().decode(piece)),
  };
  const ending = await startable(invocation, async () => ({
    how: await runCommand(invocation, options, spawned),
  }));
  if (typeof ending === "string") return { unknown: ending };
  const status = ending.how !== undefined && "status" in ending.how ? ending.how.status : undefined;
  const verdict = status === undefined ? undefined : verdictOf(status, output, verdicts);
  if (verdict !== undefined) return verdict;
  const failure = failureOf(ending.how, limitMs) ?? "ended with status 0";
  return { unknown: withLine(failure, confidential.tellingLine(output)) };
}

interface ProbeInput {
  readonly env?: Record<string, string>;
  readonly stdin?: string | undefined;
  readonly limitMs: number;
}

function verdictOf(
  status: number,
  output: string,
  { accepted, refused, accepted_output = "", refused_output = "" }: Verdicts,
): "accepted" | "refused" | undefined {
  if (accepted.includes(status) && new RegExp(accepted_output).test(output)) return "accepted";
  if (refused.includes(status) && new RegExp(refused_output).test(output)) return "refused";
  return undefined;
}
