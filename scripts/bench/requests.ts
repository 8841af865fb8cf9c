import { Box } from "../../tests/support/process/box.ts";
import { KnownSecret } from "./known_secret.ts";
import { installPeers, peer } from "./peers.ts";
import { type Contender, type Goal, inTurn, type Part } from "./result.ts";
import { nodeServer, rekeyServer, runtimeServer } from "./servers.ts";
import { run } from "../program.ts";

const SECONDS = 3;
const CONNECTIONS = 32;

const SEEN = 100;
// Ten times what rekey remembers: each has been forgotten when it comes again.
const NEW = 100_000;

const ONE = "rekey, 1 thread, tokens seen before";
const TWO = "rekey, 2 threads, tokens seen before";
const ONE_NEW = "rekey, 1 thread, every token new";
const BARE = "Deno.serve that answers a constant";
const FLOOR = "Deno.serve that reads the token and gives a kept answer";
const FASTIFY = "fastify, fast-jwt with its cache, tokens seen before";
const FASTIFY_NEW = "fastify, fast-jwt without cache, every token new";
const EXPRESS_NEW = "express, jsonwebtoken, every token new";

const most = (to: string, ratio: number): Goal => ({ to, sense: "≥", ratio });
const GOALS: Record<string, Goal[]> = {
  [ONE]: [most(BARE, 0.75), most(FASTIFY, 3)],
  [TWO]: [most(ONE, 1.6)],
  [ONE_NEW]: [most(FASTIFY_NEW, 1.5), most(EXPRESS_NEW, 10)],
};

/** Requests a second to `GET /auth`, with wrk on the same machine. */
export async function requests(rounds: number): Promise<Part> {
  using folder = new Box();
  const env = await installPeers();
  const secret = new KnownSecret();
  const [seen, fresh] = [`${folder.home}/seen`, `${folder.home}/new`];
  secret.writeTokens(seen, SEEN);
  secret.writeTokens(fresh, NEW);
  await using bare = await runtimeServer("bare", folder.home);
  await using floor = await runtimeServer("floor", folder.home);
  await using one = await rekeyServer(secret, 1);
  await using two = await rekeyServer(secret, 2);
  await using cached = await nodeServer("fastify.cjs", ["1000", "HS512"], secret, env);
  await using uncached = await nodeServer("fastify.cjs", ["0", "HS512"], secret, env);
  await using express = await nodeServer("express.cjs", [], secret, env);
  const asked: [string, string, string][] = [
    [BARE, bare.url, seen],
    [FLOOR, floor.url, seen],
    [ONE, one.url, seen],
    [TWO, two.url, seen],
    [FASTIFY, cached.url, seen],
    [ONE_NEW, one.url, fresh],
    [FASTIFY_NEW, uncached.url, fresh],
    [EXPRESS_NEW, express.url, fresh],
  ];
  const contenders: Contender[] = asked
    .map(([name, url, tokens]) => ({ name, run: () => load(url, tokens) }));
  const medians = await inTurn(contenders, rounds);
  const rows = [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "a second",
    goals: GOALS[name] ?? [],
  }));
  return { title: "GET /auth", rows };
}

/** Sends as many requests as get answered, and answers how many that were a second. */
export async function load(
  url: string,
  tokens: string,
  seconds = SECONDS,
  target = "/auth",
): Promise<number> {
  const flags = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", peer("tokens.lua"), url];
  const env = { TOKENS: tokens, TARGET: target };
  const { stderr, code } = await run("wrk", flags, { env });
  const [count, microseconds, errors] = stderr.trim().split(" ").map(Number);
  if (code !== 0 || count === undefined || microseconds === undefined || errors !== 0) {
    throw new Error(`${url}: ${stderr}`);
  }
  return count / (microseconds / 1e6);
}
