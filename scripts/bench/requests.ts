import { Box } from "../../tests/support/process/box.ts";
import { type BenchKey, KnownSecret } from "./known_secret.ts";
import { cost, measured } from "./costed.ts";
import { LOAD_CORE, type Requests, SERVER_CORE } from "./load.ts";
import { installPeers } from "./peers.ts";
import type { Goal, Part } from "./result.ts";
import { nodeServer, rekeyServer, runtimeServer } from "./servers.ts";

const SECONDS = 2;

const SEEN = 100;
// Ten times what rekey remembers: each has been forgotten when it comes again.
const NEW = 100_000;

// A second load: of tokens that come again, one in a hundred is new and one in twenty is not valid.
const [MIXED, NEW_EVERY, REFUSED_EVERY] = [100_000, 100, 20];

const BARE = "Deno.serve that answers a constant";
const FLOOR = "Deno.serve that reads the token and gives a kept answer";
const ONE = "rekey, 1 thread, tokens seen before";
const TWO = "rekey, 2 threads, tokens seen before";
const FASTIFY = "fastify, fast-jwt with its cache, tokens seen before";
const ONE_NEW = "rekey, 1 thread, every token new";
const FLOOR_NEW = "Deno.serve that verifies each HMAC and tells the claims, and nothing else";
const FASTIFY_NEW = "fastify, fast-jwt without cache, every token new";
const EXPRESS_NEW = "express, jsonwebtoken, every token new";

const mixed = (name: string) => `${name.split(", tokens seen")[0]}, mixed, as from browsers`;

const most = (to: string, ratio: number): Goal => ({ to, sense: "≥", ratio });
// Both threads are held to one core, where more of them answer no more. Two cores would answer 1.7 times as many.
const TWO_COST: Goal = { to: cost(ONE), sense: "≤", ratio: 2 / 1.7 };
const GOALS: Record<string, Goal[]> = {
  [ONE]: [most(BARE, 0.72), most(FASTIFY, 2.2)],
  [ONE_NEW]: [most(FASTIFY_NEW, 1.5), most(EXPRESS_NEW, 10)],
  [cost(TWO)]: [TWO_COST],
};

/** Requests a second to `GET /auth`, and what each costs: every server on one core, wrk on another. */
export async function requests(rounds: number): Promise<Part> {
  using folder = new Box();
  const env = await installPeers();
  const secret = new KnownSecret();
  const [seen, fresh, both] = ["seen", "new", "mixed"]
    .map((name) => ({ tokens: `${folder.home}/${name}`, seconds: SECONDS, core: LOAD_CORE })) as [
      Requests,
      Requests,
      Requests,
    ];
  secret.writeTokens(seen.tokens, SEEN);
  secret.writeTokens(fresh.tokens, NEW);
  writeMixed(both.tokens, secret);
  const browsers = { ...both, browser: true, refused: 1 / REFUSED_EVERY };
  await using bare = await runtimeServer("bare", folder.home);
  await using floor = await runtimeServer("floor", folder.home);
  await using floorNew = await runtimeServer("hmac", folder.home, [secret.text]);
  await using uncached = await nodeServer("fastify.cjs", ["0", "HS512"], secret, env);
  await using express = await nodeServer("express.cjs", [], secret, env);
  // One for each load: what a server remembers of one is in the way of another.
  const rekey = (threads: number) => rekeyServer(secret, threads, SERVER_CORE);
  const fastify = () => nodeServer("fastify.cjs", ["1000", "HS512"], secret, env);
  await using one = await rekey(1);
  await using oneNew = await rekey(1);
  await using oneMixed = await rekey(1);
  await using two = await rekey(2);
  await using cached = await fastify();
  await using cachedMixed = await fastify();
  return {
    title: "GET /auth",
    rows: await measured(
      [
        [BARE, bare, seen],
        [FLOOR, floor, seen],
        [ONE, one, seen],
        [TWO, two, seen],
        [FASTIFY, cached, seen],
        [ONE_NEW, oneNew, fresh],
        [FLOOR_NEW, floorNew, fresh],
        [FASTIFY_NEW, uncached, fresh],
        [EXPRESS_NEW, express, fresh],
        [mixed(BARE), bare, { ...browsers, refused: 0 }],
        [mixed(FLOOR), floor, { ...browsers, refused: 0 }],
        [mixed(ONE), oneMixed, browsers],
        [mixed(FASTIFY), cachedMixed, browsers],
      ],
      rounds,
      GOALS,
    ),
  };
}

/** Writes tokens, each one of those that come again, or a new one, or one that is not valid. */
function writeMixed(path: string, key: BenchKey): void {
  const known = Array.from({ length: SEEN }, (_, n) => key.token(`user-${n}`));
  const lines = Array.from({ length: MIXED }, (_, n) => {
    if (n % NEW_EVERY === 1) return key.token(`new-${n}`);
    const token = known[Math.floor(Math.random() * known.length)]!;
    if (n % REFUSED_EVERY !== 0) return token;
    // Of other claims, with the signature of these.
    const [header, , signature] = token.split(".");
    return [header, key.token(`other-${n}`).split(".")[1], signature].join(".");
  });
  Deno.writeTextFileSync(path, `${lines.join("\n")}\n`);
}
