import { Box } from "../../tests/support/process/box.ts";
import { KnownPair } from "./known_pair.ts";
import { KnownSecret } from "./known_secret.ts";
import { installPeers } from "./peers.ts";
import { measured } from "./costed.ts";
import { LOAD_CORE, type Requests, SERVER_CORE } from "./load.ts";
import { type Goal, inTurn, milliseconds, type Part } from "./result.ts";
import { nodeServer, rekeyServer, runtimeServer } from "./servers.ts";

const SEEN = 100;
// More than rekey remembers: each has been forgotten when it comes again.
const NEW = 30_000;

const HMAC = "rekey, 1 thread, HS512, tokens seen before";
const PAIR = "rekey, 1 thread, ES256, tokens seen before";
const NEW_ONE = "rekey, 1 thread, ES256, every token new";
const NEW_TWO = "rekey, 2 threads, ES256, every token new";
const FLOOR = "Deno.serve that verifies each signature with OpenSSL, and nothing else";
const FASTIFY = "fastify, fast-jwt without cache, ES256, every token new";

const atLeast = (to: string, ratio: number): Goal => ({ to, sense: "≥", ratio });
const GOALS: Record<string, Goal[]> = {
  [PAIR]: [atLeast(HMAC, 0.95)],
  [NEW_ONE]: [atLeast(FASTIFY, 1.5)],
  [NEW_TWO]: [atLeast(FASTIFY, 1.5)],
};

const ISSUE_HMAC = "rekey issue, HS512";
const ISSUE_PAIR = "rekey issue, ES256";

/** Requests a second to `GET /auth` with tokens of a key pair, and the time that `issue` takes. */
export async function keyPairs(rounds: number): Promise<Part> {
  using folder = new Box();
  const env = await installPeers();
  const [secret, pair] = [new KnownSecret(), new KnownPair()];
  const [hmacSeen, seen, fresh] = ["hmac", "seen", "new"]
    .map((name) => ({ tokens: `${folder.home}/${name}`, core: LOAD_CORE })) as [
      Requests,
      Requests,
      Requests,
    ];
  secret.writeTokens(hmacSeen.tokens, SEEN);
  await pair.writeTokens(seen.tokens, SEEN);
  await pair.writeTokens(fresh.tokens, NEW);
  await using hmac = await rekeyServer(secret, 1, SERVER_CORE);
  // Another server than for new tokens, which would fill its memory.
  await using remembering = await rekeyServer(pair, 1, SERVER_CORE);
  await using one = await rekeyServer(pair, 1, SERVER_CORE);
  await using two = await rekeyServer(pair, 2);
  await using floor = await runtimeServer("signature", folder.home, [pair.spki]);
  await using fastify = await nodeServer("fastify.cjs", ["0", pair.alg], pair, env);
  const rows = await measured(
    [
      [HMAC, hmac, hmacSeen],
      [PAIR, remembering, seen],
      [NEW_ONE, one, fresh],
      [NEW_TWO, two, fresh],
      [FLOOR, floor, fresh],
      [FASTIFY, fastify, fresh],
    ],
    rounds,
    GOALS,
  );
  return { title: "Key pairs", rows: [...rows, ...await issuing(rounds * 4)] };
}

async function issuing(rounds: number) {
  using hmac = new Box();
  using pair = new Box();
  await hmac.run(["init"]);
  await pair.run(["init", "--alg", "ES256"]);
  const issue = (box: Box) => () => milliseconds(() => box.run(["issue", "--sub", "alice"]));
  const medians = await inTurn([
    { name: ISSUE_HMAC, run: issue(hmac) },
    { name: ISSUE_PAIR, run: issue(pair) },
  ], rounds);
  const goal: Goal = { to: ISSUE_HMAC, sense: "≤", ratio: 1.1 };
  return [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "ms",
    goals: name === ISSUE_PAIR ? [goal] : [],
  }));
}
