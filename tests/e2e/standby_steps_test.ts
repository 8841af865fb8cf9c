import assert from "node:assert/strict";
import { join } from "node:path";
import { receiver } from "../support/commands/notices.ts";
import { schedule } from "../support/commands/scheduling.ts";
import { Box, type Ended, REKEY } from "../support/process/box.ts";
import { query, sql } from "../support/store/sql.ts";

// What a timer runs again and again.
const TIMER = ["rotate", "--force", "--if-older-than", "30d", "--standby", "1d", "--grace", "24h"];

/** Runs rekey as if it were later. */
function later(box: Box, by: string, ...args: string[]): Promise<Ended> {
  return box.exec("/usr/bin/faketime", ["-f", by, REKEY, ...args]);
}

// deno-lint-ignore no-explicit-any
async function after(box: Box, by: string, ...more: string[]): Promise<any> {
  const { code, stdout, stderr } = await later(box, by, ...TIMER, "--json", ...more);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function started(): Promise<Box> {
  const box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  return box;
}

const states = (box: Box) =>
  query(box, "SELECT version, state FROM rekey_versions ORDER BY version")
    .map(({ version, state }) => `${version} ${state}`);

const seconds = (from: string, to: string) =>
  Math.round((Date.parse(to) - Date.parse(from)) / 1000);

Deno.test("one command in a timer prepares a key pair and activates it, each when it is due", async () => {
  using box = await started();
  const { created_at, kid: first } = await box.json("status");
  const young = await after(box, "+28d", "--alg", "ES256");
  assert.deepEqual([young.rotated, young.next_step, young.kid], [false, "prepare", first]);
  assert.equal(seconds(created_at, young.next_at), 29 * 86_400);

  const prepared = await after(box, "+29d", "--alg", "ES256");
  assert.deepEqual([prepared.prepared, prepared.version, prepared.alg], [true, 2, "ES256"]);
  for (const by of ["+29d", "+29.9d"]) {
    const waiting = await after(box, by, "--alg", "ES256");
    assert.deepEqual([waiting.rotated, waiting.next_step], [false, "activate"]);
    assert.equal(seconds(prepared.published_at, waiting.next_at), 86_400);
    assert.equal(waiting.kid, first, "the current version");
  }
  assert.deepEqual(states(box), ["1 current", "2 pending"]);

  const token = await box.token();
  const activated = await after(box, "+30.1d", "--alg", "ES256");
  assert.deepEqual([activated.kid, activated.previous_kid], [prepared.kid, first]);
  assert.deepEqual(states(box), ["1 previous", "2 current"]);
  assert.equal((await box.json("verify", token)).valid, true);
  const done = await after(box, "+30.1d", "--alg", "ES256");
  assert.deepEqual([done.rotated, done.next_step], [false, "prepare"]);
  assert.equal(seconds(prepared.created_at, done.next_at), 29 * 86_400);
  assert.equal((await later(box, "+30.2d", "audit", "verify")).code, 0);
});

Deno.test("an HMAC secret stands by for as long, and people read what is due", async () => {
  using box = await started();
  const human = async (by: string, ...more: string[]) =>
    (await later(box, by, ...TIMER, ...more)).stdout;
  assert.match(await human("+1d"), /^Nothing to do: preparing the next version is due from 2/);
  assert.match(await human("+29d", "--dry-run"), /^Would do the step that is due: preparing/);
  assert.deepEqual(states(box), ["1 current"]);
  const { kid } = await after(box, "+29d");
  assert.match(await human("+29.5d", "--dry-run"), /^Would do nothing: activating version 2 /);
  assert.ok((await human("+29.5d")).startsWith(`Nothing to do: activating version 2 (kid ${kid})`));
  assert.match(await human("+30.1d", "--dry-run"), /^Would do the step that is due: activating/);
  assert.deepEqual(states(box), ["1 current", "2 pending"]);
  assert.equal((await after(box, "+30.1d")).kid, kid);
});

Deno.test("a version waits for caches of public keys too, also with --force", async () => {
  using box = await started();
  await box.json("policy", "set", "--jwks-max-age", "20h");
  const short = ["--standby", "1h", "--alg", "ES256"];
  const timer = ["rotate", "--force", "--if-older-than", "2d", ...short, "--json"];
  const { published_at } = JSON.parse((await later(box, "+2d", ...timer)).stdout);
  const waiting = JSON.parse((await later(box, "+2.5d", ...timer)).stdout);
  assert.equal(waiting.rotated, false);
  assert.equal(seconds(published_at, waiting.next_at), 20 * 3_600);
  assert.equal(JSON.parse((await later(box, "+2.9d", ...timer)).stdout).previous_version, 1);
});

Deno.test("several timers at once take each step once", async () => {
  using box = await started();
  const at = (by: string) =>
    Promise.all(Array.from({ length: 4 }, () => after(box, by, "--alg", "Ed25519")));
  const prepared = await at("+29d");
  assert.equal(prepared.filter((one) => one.prepared).length, 1);
  assert.deepEqual(states(box), ["1 current", "2 pending"]);
  const activated = await at("+30.1d");
  assert.equal(activated.filter((one) => one.previous_version === 1).length, 1);
  assert.deepEqual(states(box), ["1 previous", "2 current"]);
});

Deno.test("a value that was lost while it stood by is replaced, and stands by again", async () => {
  using box = await started();
  const lost = await after(box, "+29d", "--alg", "ES256");
  sql(box, "DELETE FROM settings WHERE key = 'jwt_secret.v2'");
  const { code, stdout, stderr } = await later(box, "+30.1d", ...TIMER, "--alg", "ES256", "--json");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /the value of version 2, which was prepared, is lost/);
  const { kid, prepared } = JSON.parse(stdout);
  assert.equal(prepared, true);
  assert.notEqual(kid, lost.kid);
  assert.deepEqual(states(box), ["1 current", "2 retired", "3 pending"]);
  assert.equal((await after(box, "+31.2d")).kid, kid);
});

Deno.test("hooks and notices tell of the activation, and of a step that failed", async () => {
  using box = await started();
  await using taken = receiver();
  const key = join(box.home, "webhook.key");
  Deno.writeTextFileSync(key, `whsec_${crypto.getRandomValues(new Uint8Array(32)).toBase64()}\n`);
  const hook = join(box.home, "hook");
  const more = ["--after", `echo "$REKEY_ROTATION_VERSION" >> ${hook}`, "--reason", "scheduled"];
  more.push("--notify-url", taken.url, "--notify-key-file", key);
  const types = () => taken.posts.map(({ body }) => JSON.parse(body).type);
  await after(box, "+29d", ...more);
  assert.deepEqual(types(), []);
  const failed = await later(box, "+30.1d", ...TIMER, ...more, "--before", "false");
  assert.equal(failed.code, 1, failed.stderr);
  assert.deepEqual(types(), ["rotation.failed"]);
  await after(box, "+30.1d", ...more);
  assert.deepEqual(types(), ["rotation.failed", "rotation.completed"]);
  assert.equal(Deno.readTextFileSync(hook), "2\n");
});

Deno.test("times and flags that do not fit are refused", async () => {
  using box = await started();
  const flags = [
    ["--standby", "1d"],
    ["--standby", "16d", "--if-older-than", "30d"],
    ...["--prepare", "--activate", "--at=03:00", "--request-id=x"].map((flag) => [
      ...["--standby", "1d", "--if-older-than", "30d", flag],
    ]),
  ];
  for (const some of flags) {
    const { code, stderr } = await box.run(["rotate", "--force", ...some]);
    assert.equal(code, 2, `${some}: ${stderr}`);
  }
  for (const some of [["--standby", "46d"], ["--", "--standby", "1d"], ["--", "--prepare"]]) {
    const { code, stderr } = await box.run(["schedule", "cron", ...some]);
    assert.equal(code, 2, `${some}: ${stderr}`);
  }
  // A young secret, and a key that cannot be made when it is old enough.
  const mixed = ["--alg", "ES256", "--bytes", "32"];
  for (const dry of [[], ["--dry-run"]]) {
    assert.equal((await box.run([...TIMER, ...mixed, ...dry])).code, 2);
  }
  assert.deepEqual(states(box), ["1 current"]);
});

Deno.test("schedule --standby: each scheduler runs it, and often enough", async () => {
  using box = await started();
  const of = async (kind: string, ...args: string[]) =>
    (await schedule(box, kind, "--every", "30d", ...args, "--", "--grace", "24h")).files
      .map(({ content }) => content).join("\n");
  const line = "--if-older-than 30d --standby 1d --reason scheduled --grace 24h";
  assert.ok((await of("systemd", "--standby", "1d")).includes(line));
  assert.match(await of("systemd", "--standby", "1d"), /^OnCalendar=\*-\*-\* \*:00:00$/m);
  assert.match(await of("systemd", "--standby", "2d"), /^OnCalendar=\*-\*-\* 03:00:00$/m);
  assert.ok((await of("windows", "--standby", "1d")).includes(line));
  assert.match(await of("windows", "--standby", "1d"), /<Interval>PT1H</);
  assert.match(await of("launchd", "--standby", "1d"), /<string>--standby<\/string>\s+<string>1d</);
  const cron = await of("cron", "--standby", "1d");
  const [, command] = /^0 \* \* \* \* (.*)$/m.exec(cron)!;
  const run = (by: string) => box.exec("/usr/bin/faketime", ["-f", by, "/bin/sh", "-c", command!]);
  for (const by of ["+29d", "+29d", "+30.1d", "+30.1d"]) {
    const { code, stderr } = await run(by);
    assert.deepEqual([code, stderr], [0, ""], by);
  }
  assert.deepEqual(states(box), ["1 previous", "2 current"]);
});
