import assert from "node:assert/strict";
import { join } from "node:path";
import { restart, withVerifier } from "../support/deliver/told_verifier.ts";
import { pause, until } from "../support/timing/pause.ts";
import { quickest, took } from "../support/timing/took.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { Verifier } from "../support/deliver/verifier.ts";
import { initialised } from "../support/process/initialised.ts";
import { Serving } from "../support/http/serving.ts";
import { start } from "../../scripts/program.ts";

async function listed(box: Box) {
  const { stdout } = await box.run(["deliver", "list", "--json"]);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("a graceful rotation refuses no valid token, an incident accepts no old one", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  const signer = ["--format", "text", "--role", "signer", "--path", join(box.home, "key")];
  assert.equal((await box.run(["deliver", "add", "signer", ...signer])).code, 0);
  let refused = 0;
  let asked = 0;
  const tokens = [await box.token()];
  const ask = async (token: string) => {
    asked++;
    if (!await verifier.accepts(token)) refused++;
  };
  const rotating = { goesOn: true };
  const asking = (async () => {
    while (rotating.goesOn) await ask(tokens[asked % tokens.length]!);
  })();
  const issuing = (async () => {
    while (rotating.goesOn) {
      tokens.push(await box.token());
      await ask(tokens.at(-1)!);
    }
  })();
  const isShort = () => asked <= 100 || tokens.length <= 10;
  for (let n = 0; n < 5 || (isShort() && n < 50); n++) {
    const rotated = await box.run(["rotate", "--force", "--grace", "1h"]);
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.match(rotated.stdout, /Followed by api, signer/);
  }
  rotating.goesOn = false;
  await Promise.all([asking, issuing]);
  assert.equal(refused, 0, `${refused} of ${asked} refused`);
  assert.ok(!isShort(), `${asked} asked, ${tokens.length} issued`);
  const token = tokens.at(-1)!;
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.ok(!await verifier.accepts(token));
  assert.ok(await verifier.accepts(await box.token()));
});

Deno.test("a program that does not follow stops a graceful rotation, with nothing changed", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  await using other = await withVerifier(box, { name: "other" });
  const [token, { version }] = [await box.token(), await box.json("status")];
  const before = Deno.readTextFileSync(join(box.home, "other.json"));
  await verifier.stop();
  const stopped = await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal(stopped.code, 5);
  assert.match(stopped.stderr, /Not rotated: api: its reload ended with status 1/);
  assert.equal((await box.json("status")).version, version);
  assert.equal(Deno.readTextFileSync(join(box.home, "other.json")), before);
  assert.ok(await other.accepts(token));
  assert.equal((await box.json("verify", token)).valid, true);

  const forced = await box.run(["rotate", "--force", "--grace", "1h", "--force-deliveries"]);
  assert.equal(forced.code, 5);
  assert.match(forced.stderr, /Not followed: api: its reload/);
  assert.ok((await box.json("status")).version > version);
  assert.ok(await other.accepts(await box.token()));
  await restart(box, verifier);
  assert.equal((await box.run(["deliver", "sync"])).code, 0);
  assert.ok(await verifier.accepts(await box.token()));
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("before a commit a program that is down is seen at once, a frozen one is waited for once", async () => {
  using box = await initialised();
  const path = join(box.home, "api.json");
  await using verifier = await Verifier.start(path);
  const target = ["--format", "jwks", "--path", path, "--probe-url", verifier.url];
  assert.equal((await box.run(["deliver", "add", "api", ...target])).code, 0);
  const before = Deno.readTextFileSync(path);
  let number = 1;
  const refused = async () => {
    number++;
    const { code, stderr } = await box.run(["rotate", "--force", "--grace", "1h"]);
    assert.equal(code, 5);
    assert.ok(stderr.includes(`Nothing was changed; number ${number} is not used again. `), stderr);
    assert.match(
      stderr,
      /Not rotated: api: its probe (could not reach|got no answer in time from)/,
    );
    assert.equal(Deno.readTextFileSync(path), before);
  };
  await verifier.stop();
  await refused();
  // It may be starting, and has its time here.
  const waitedMs = await took(() => box.run(["deliver", "sync"]));
  const isPrompt = (ms: number) => ms < waitedMs / 2;
  const deadMs = await quickest(isPrompt, refused);
  assert.ok(isPrompt(deadMs), `${deadMs} ms, and ${waitedMs} ms to wait for it`);
  await verifier.restart();
  Deno.kill(verifier.pid, "SIGSTOP");
  const isOnce = (ms: number) => ms < waitedMs * 1.6;
  const frozenMs = await quickest(isOnce, refused);
  assert.ok(isOnce(frozenMs), `${frozenMs} ms, and ${waitedMs} ms to wait for it`);
  Deno.kill(verifier.pid, "SIGCONT");
  const rotated = await box.json("rotate", "--force", "--grace", "1h");
  // Each that was refused has used up a number.
  assert.equal(rotated.version, number + 1);
});

Deno.test("a program that its reload ends and starts again has its time after a rotation that it refuses", async () => {
  using box = await initialised();
  const path = join(box.home, "api.json");
  await using verifier = await Verifier.start(path);
  // Frozen until two seconds after a reload, as one that is slow to start.
  const [ended, pid] = [join(box.home, "ended"), verifier.pid];
  const hasTwo = `test $(grep -o '"kid"' ${path} | wc -l) = 2`;
  const later = `{ sleep 2; kill -s CONT ${pid}; } >/dev/null 2>&1 &`;
  const starting = `if rm ${ended} 2>/dev/null; then ${later} fi`;
  const reload = `if ${hasTwo}; then kill -s STOP ${pid}; touch ${ended}; else ${starting}; fi`;
  const target = ["--format", "jwks", "--path", path, "--probe-url", verifier.url];
  const added = await box.run(["deliver", "add", "api", ...target, "--reload", reload]);
  assert.equal(added.code, 0, added.stderr);
  const refused = await box.run(["rotate", "--force", "--grace", "1h"]);
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /Not rotated: api: its probe got no answer in time from/);
  assert.ok(await verifier.accepts(await box.token()));
  assert.equal((await listed(box))[0].followed, true);
});

Deno.test("an algorithm that a program does not know is refused, and names the program", async () => {
  using box = await initialised();
  const [preset, path] = [join(box.home, "preset.json"), join(box.home, "keys.json")];
  Deno.writeTextFileSync(
    preset,
    JSON.stringify({
      ...{ name: "own", summary: "x", program: "Prog 1", role: "verifier", keys: "many" },
      ...{ algorithms: ["HS512"], reload_kind: "at once", connections: "x", format: "jwks" },
    }),
  );
  const added = await box.run(["deliver", "add", "own", "--preset-file", preset, "--path", path]);
  assert.equal(added.code, 0, added.stderr);
  const token = await box.token();
  for (const grace of [[], ["--grace", "1h"]]) {
    const refused = await box.run(["rotate", "--force", "--alg", "HS256", ...grace]);
    assert.equal(refused.code, 5);
    assert.match(
      refused.stderr,
      /^error: Not rotated: own: Prog 1 knows HS512, and not HS256\nhint: .*--force-deliveries\n$/,
    );
    assert.equal((await box.json("status")).version, 1);
    assert.equal((await box.json("verify", token)).valid, true);
  }
  assert.equal((await box.run(["rotate", "--force", "--alg", "HS512"])).code, 0);
  const forced = await box.run(["rotate", "--force", "--alg", "HS256", "--force-deliveries"]);
  assert.equal(forced.code, 5);
  assert.match(forced.stderr, /Not followed: own: Prog 1 knows HS512, and the secret is for HS256/);
  assert.equal((await box.json("status")).version, 3);
});

Deno.test("after an incident a program that has not followed is exit 5, and serve tries again", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  const old = await box.token();
  await verifier.stop();
  const rotated = await box.run(["rotate", "--force"]);
  assert.equal(rotated.code, 5);
  assert.match(rotated.stderr, /Not followed: api/);
  assert.equal((await box.json("status")).version, 2);
  assert.equal((await listed(box))[0].followed, false);
  const serve = start(
    REKEY,
    ["serve", "--listen", "127.0.0.1:0", "--workers", "1"],
    box.surroundings(),
  );
  await restart(box, verifier);
  await until(async () => (await listed(box))[0].followed);
  assert.ok(await verifier.accepts(await box.token()));
  assert.ok(!await verifier.accepts(old));
  serve.kill("SIGTERM");
  await serve.status;
});

Deno.test("the end of a grace period is carried out by any later command, which says that it was late", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  let [old, end, accepted] = ["", 0, false];
  // A machine that is busy with something else may take longer than a short one for the rotation itself.
  for (const seconds of [1, 5, 25, 125]) {
    old = await box.token();
    const { grace_until } = await box.json("rotate", "--force", "--grace", `${seconds}s`);
    end = Date.parse(grace_until);
    accepted = await verifier.accepts(old);
    if (Date.now() < end) break;
  }
  assert.ok(accepted);
  await pause(Math.max(0, end - Date.now()) + 100);
  const late = await box.run(["status"]);
  assert.equal(late.code, 0);
  assert.match(late.stderr, /api was late, and has followed now/);
  assert.match(late.stderr, /could not be asked whether it refuses the ended key/);
  assert.ok(!await verifier.accepts(old));
  assert.equal((await listed(box))[0].followed, true);
});

Deno.test("revoke ends old keys in programs before it exits", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  const old = await box.token();
  assert.equal((await box.run(["rotate", "--force", "--grace", "1h"])).code, 0);
  assert.ok(await verifier.accepts(old));
  assert.equal((await box.run(["revoke"])).code, 0);
  assert.ok(!await verifier.accepts(old));
});

Deno.test("status, doctor, metrics and status page show what has not followed, until it has", async () => {
  using box = await initialised();
  await using verifier = await withVerifier(box);
  const seen = async () => {
    const { deliveries: [one] } = await box.json("status");
    const doctor = await box.run(["doctor", "--json"]);
    const codes = JSON.parse(doctor.stdout).findings.map(({ code }: { code: string }) => code)
      .filter((code: string) => code.startsWith("delivery"));
    return [one.followed, (await box.run(["status", "--check"])).stdout, codes];
  };
  const fine = await seen();
  assert.equal(fine[0], true);
  assert.deepEqual(fine[2], ["delivery_on_disk"]);
  await verifier.stop();
  assert.equal((await box.run(["rotate", "--force"])).code, 5);
  const behind = await seen();
  assert.equal(behind[0], false);
  assert.match(String(behind[1]), /, 1 delivery behind \|/);
  assert.deepEqual(behind[2], ["delivery_behind", "delivery_on_disk"]);
  assert.match((await box.run(["status"])).stdout, /delivery +api is behind .*its reload ended/);

  await using serving = await Serving.start(box, ["--workers", "1"]);
  const metrics = async () => await (await serving.get("/metrics")).text();
  assert.match(await metrics(), /^rekey_deliveries\{state="behind"\} 1$/m);
  const page = await (await serving.get("/status.json")).json();
  assert.deepEqual(
    page.deliveries.map(({ name, followed }: Record<string, unknown>) => [name, followed]),
    [
      ["api", false],
    ],
  );
  const text = JSON.stringify(page);
  assert.ok(!text.includes(box.home) && !text.includes("its reload"), text);
  await restart(box, verifier);
  await until(async () => /^rekey_deliveries\{state="followed"\} 1$/m.test(await metrics()));
  assert.equal((await seen())[0], true);
});
