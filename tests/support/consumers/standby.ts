import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import type { Serving } from "../http/serving.ts";
import { pause, until } from "../timing/pause.ts";

/** A verifier that fetches public keys. */
export interface Follower {
  /** Its word on a token: `accepted`, or why not. */
  answer(token: string): Promise<string>;
  /** For how long it keeps a set, in seconds. */
  readonly seconds: number;
  /** What `rekey issue` is told, so that it accepts the token. */
  readonly claims?: readonly string[];
  /** What makes it fetch the set again, if time alone does not. */
  readonly remind?: () => Promise<unknown>;
}

/** A verifier's word on a token, and when it was asked and answered, in milliseconds since the epoch. */
interface Word {
  readonly isOld: boolean;
  readonly asked: number;
  readonly answered: number;
  readonly word: string;
}

/** What a verifier said of tokens of both keys, again and again, while the key was replaced. */
export interface Followed {
  readonly asked: number;
  /** How many valid tokens it refused, and what it said, each once. */
  readonly refusedValid: number;
  readonly reasons: readonly string[];
  /** How many tokens of the old key it accepted after the grace period and its own cache time. */
  readonly acceptedRetired: number;
  /** How many it refused then. */
  readonly refusedRetired: number;
}

/**
 * A secret whose current version is ES256, in a set with keys of other kinds: no verifier may stumble over those that it
 * does not know.
 */
export async function amongOthers(box: Box, ...init: string[]): Promise<void> {
  await succeeds(box, "init", "--alg", "HS512", ...init);
  for (const alg of ["Ed25519", "EdDSA", "PS256", "ES512", "ES256"]) {
    await succeeds(box, "rotate", "--force", "--alg", alg, "--grace", "1h");
  }
}

const GRACE_SECONDS = 8;
// An answer may have been on its way when the period ended.
const SLACK_MS = 1_000;

/** Whether the public keys were fetched from a server since a time, in milliseconds since the epoch. */
function wasFetchedSince(start: number, { stdout }: Serving): boolean {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
  return lines.map((line) => JSON.parse(line)).some(({ route, status, time }) =>
    route === "/.well-known/jwks.json" && status === 200 && Date.parse(time) > start
  );
}

/**
 * A rotation by a key that stands by: it is prepared, the verifier fetches it, it becomes the current one, and the grace
 * period of the old one ends. The verifier is asked all the time.
 */
export async function followsStandby(
  box: Box,
  serving: Serving,
  follower: Follower,
): Promise<Followed> {
  const token = () => box.token("alice", "--ttl", "1h", ...follower.claims ?? []);
  const asking = new Asking(follower, await token());
  await until(() => asking.words.at(-1)?.word === "accepted", {
    otherwise: () => JSON.stringify(asking.words.at(-1)),
  });
  await succeeds(box, "rotate", "--prepare");
  await fetched(serving, follower);
  const { grace_until } = await box.json(
    ...["rotate", "--force", "--activate", "--grace", `${GRACE_SECONDS}s`],
  );
  asking.new = await token();
  const end = Date.parse(grace_until);
  await until(() => Date.now() > end + follower.seconds * 1_000 + SLACK_MS);
  await fetched(serving, follower);
  const settled = Date.now();
  await until(() => asking.words.filter(({ asked }) => asked > settled).length > 10);
  return judged(await asking.end(), end, settled);
}

/** @throws unless no valid token was refused, and the retired key's were. */
export function mustHaveFollowed(followed: Followed): void {
  const { asked, refusedValid, acceptedRetired, refusedRetired } = followed;
  const what = JSON.stringify(followed);
  assert.deepEqual([refusedValid, acceptedRetired], [0, 0], what);
  assert.ok(refusedRetired > 3 && asked > 50, what);
}

/** Waits until the set is fetched again, by itself or when it is reminded. */
async function fetched(serving: Serving, { remind }: Follower): Promise<void> {
  const start = Date.now();
  await until(async () => {
    await remind?.();
    return wasFetchedSince(start, serving);
  }, { every: 100 });
}

function judged(words: readonly Word[], end: number, settled: number): Followed {
  const valid = words.filter(({ isOld, answered }) => !isOld || answered < end);
  const retired = words.filter(({ isOld, asked }) => isOld && asked > settled);
  const isAccepted = ({ word }: Word) => word === "accepted";
  const refused = valid.filter((word) => !isAccepted(word));
  return {
    asked: words.length,
    refusedValid: refused.length,
    reasons: [...new Set(refused.map(({ word }) => word))],
    acceptedRetired: retired.filter(isAccepted).length,
    refusedRetired: retired.filter((word) => !isAccepted(word)).length,
  };
}

/** Asks about an old token and, from when there is one, a new one, again and again. */
class Asking {
  readonly words: Word[] = [];
  new: string | undefined;
  #over = false;
  readonly #done: Promise<void>;

  constructor(private readonly follower: Follower, private readonly old: string) {
    this.#done = this.#ask();
    this.#done.catch(() => {});
  }

  async #ask(): Promise<void> {
    while (!this.#over) {
      for (const token of [this.old, this.new]) {
        if (token === undefined) continue;
        const asked = Date.now();
        const word = await this.follower.answer(token);
        this.words.push({ isOld: token === this.old, asked, answered: Date.now(), word });
      }
      await pause(20);
    }
  }

  async end(): Promise<readonly Word[]> {
    this.#over = true;
    await this.#done;
    return this.words;
  }
}

async function succeeds(box: Box, ...args: string[]): Promise<void> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, stderr);
}
