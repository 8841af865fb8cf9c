import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Box, REKEY } from "../support/process/box.ts";
import { type Attack, attacksOn } from "../support/attacks/jwt_attacks.ts";
import { sample } from "../support/process/sample.ts";
import { Line } from "../support/http/raw_http.ts";
import { openSealed } from "../support/store/sealed.ts";
import { Serving } from "../support/http/serving.ts";

// The table itself is tests/support/attacks/jwt_attacks.ts; here it meets the compiled binary, by each of its doors.

async function underAttack(box: Box): Promise<Attack[]> {
  await box.run(["init", "--store", "database"]);
  const { value: oldValue } = await openSealed(box);
  const { kid, previous_kid: oldKid } = await box.json("rotate", "--force");
  const { value } = await openSealed(box);
  return attacksOn({ value, kid, oldValue, oldKid });
}

/** All of them, a few at a time; answers what is wrong. */
async function meetAll(
  attacks: readonly Attack[],
  atOnce: number,
  meet: (attack: Attack) => Promise<string>,
  wanted: (attack: Attack) => string,
): Promise<void> {
  const waiting = [...attacks];
  const wrong: string[] = [];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let attack = waiting.shift(); attack !== undefined; attack = waiting.shift()) {
      const got = await meet(attack);
      if (got !== wanted(attack)) wrong.push(`${attack.name}: ${got}, not ${wanted(attack)}`);
    }
  }));
  assert.deepEqual(wrong, []);
}

Deno.test("every attack in the table comes to its code: POST /verify, GET /auth; some of each: rekey verify", async (t) => {
  using box = new Box();
  const attacks = await underAttack(box);
  await using serving = await Serving.start(box);
  const port = Number(new URL(serving.url).port);

  await t.step("POST /verify", async () => {
    const ask = async ({ token, policy }: Attack) => {
      const answer = await serving.post("/verify", { token, ...policy });
      const { valid, code } = await answer.json();
      return `${answer.status} ${valid === true ? "valid" : code}`;
    };
    await meetAll(attacks, 2, ask, ({ code, token }) => {
      if (token.length > 65_000) return "413 content_too_large";
      if (token.includes("\0")) return "400 bad_request";
      return `${code === "valid" ? 200 : 401} ${code}`;
    });
  });

  await t.step("GET /auth", async () => {
    const unasked = attacks.filter(({ policy }) => Object.keys(policy).length === 0);
    await meetAll(unasked, 2, ({ token }) => auth(port, token), ({ code, token }) => {
      if (token.length > 500_000) return "431";
      if (/[\0\r\n]/.test(token)) return "400";
      if (code === "valid") return "204";
      // A text with characters that no token has is not a token, however long it is.
      return `401 ${/^[\w.~+/-]*=*$/.test(token) ? code : "malformed"}`;
    });
  });

  await t.step("rekey verify -", async () => {
    const run = async ({ token, policy }: Attack) => {
      const flags = Object.entries(policy).flatMap(([name, value]) => [`--${name}`, value]);
      const ended = await box.run(["verify", "-", "--json", ...flags], { stdin: token });
      const { valid, code } = JSON.parse(ended.stdout);
      return `${ended.code} ${valid === true ? "valid" : code}`;
    };
    // One of each outcome, and a part of the others: those above met the same verifier of the same binary.
    const outcomes = Map.groupBy(attacks, ({ code, policy }) => JSON.stringify([code, policy]));
    const tried = [...outcomes.values()].flatMap((alike) => sample(alike, 12));
    assert.ok(tried.length > 30, String(tried.length));
    await meetAll(tried, 3, run, ({ code }) => `${code === "valid" ? 0 : 3} ${code}`);
  });

  assert.equal((await serving.stop()).code, 0);
  const lines = serving.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.filter(({ status, bug }) => status >= 500 || bug !== undefined), []);
});

Deno.test("what stands behind a token on stdin counts, however far behind", async () => {
  using box = new Box();
  await box.run(["init", "--store", "database"]);
  const token = await box.token();
  const pipe = `(printf '%s%33000s' "$1" ""; sleep 0.3; echo x) | "$0" verify --json`;
  const { stdout } = await box.exec("/bin/sh", ["-c", pipe, REKEY, token]);
  assert.equal(JSON.parse(stdout).code, "too_large");
});

/** What `GET /auth` says: the status, and the code of a 401. */
async function auth(port: number, token: string): Promise<string> {
  using line = await Line.to(port);
  // A character is a byte here.
  const bytes = Buffer.from(token).toString("latin1");
  const request = `GET /auth HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bytes}\r\n\r\n`;
  // A header that is too long is refused before it has come.
  await line.say(request).catch((error) => assert.match(String(error), /pipe|reset/i));
  const { status, headers, body } = (await line.replies(1))[0]!;
  assert.notEqual(headers.get("x-auth-subject"), "root");
  if (status !== 401) return String(status);
  assert.match(headers.get("www-authenticate")!, /^Bearer realm="rekey", error="invalid_token", /);
  return `401 ${JSON.parse(body).code}`;
}
