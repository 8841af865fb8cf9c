import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { pinFor, PINNED_DENO } from "../../scripts/denort.ts";
import { cut } from "../../scripts/denort/cut.ts";
import { sectionOf } from "../../scripts/supply/sections.ts";
import { EMULATED, emulated, must, REKEY_ARM64 } from "../support/executables/arm64.ts";
import { Box } from "../support/process/box.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { thoroughly } from "../support/process/sample.ts";
import { Running } from "../support/process/running.ts";
import { Serving } from "../support/http/serving.ts";
import { HANG_MS } from "../support/timing/pause.ts";

const AARCH64 = 183;

Deno.test("the binary for arm64 is one, on the pinned runtime", () => {
  const binary = Deno.readFileSync(REKEY_ARM64);
  assert.equal(new DataView(binary.buffer).getUint16(18, true), AARCH64);
  const runtime = cut(binary).denort;
  const { bytes, sha256 } = pinFor("aarch64-unknown-linux-gnu")!;
  assert.equal(runtime.length, bytes);
  assert.equal(createHash("sha256").update(runtime).digest("hex"), sha256);
  assert.ok(sectionOf(runtime, ".text"));
});

thoroughly("on arm64 it says what it is made of", async () => {
  using box = new Box();
  const about = JSON.parse(await must(box, "version", "--json"));
  const { sha256 } = pinFor("aarch64-unknown-linux-gnu")!;
  assert.deepEqual([about.os, about.arch, about.version], ["linux", "aarch64", config.version]);
  assert.equal(about.runtime.deno, PINNED_DENO);
  assert.deepEqual(about.denort, { version: PINNED_DENO, sha256 });
  assert.equal(about.addon.name, "@napi-rs/keyring-linux-arm64-gnu");
  const licenses = await must(box, "version", "--licenses");
  assert.match(licenses, new RegExp(`^Deno ${PINNED_DENO} \\(MIT\\)$`, "m"));
  assert.ok(licenses.includes(`V8 ${about.runtime.v8} (`));
});

Deno.test("on arm64 it does its main job, in the database", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal(JSON.parse(await must(box, "init", "--json")).location, "database");
  // Each start takes the emulator many seconds. Both kinds of machine read the same formats, and the server below verifies.
  const old = await box.token();
  await must(box, "rotate", "--force");
  assert.equal((await box.run(["verify", old])).code, 3);
  const status = await box.json("status");
  assert.deepEqual([status.version, status.location], [2, "database"]);
  const token = await must(box, "issue", "--sub", "bob", "--quiet");
  assert.equal((await box.run(["verify", token])).code, 0);
  assert.equal((await box.run(["audit", "verify"])).code, 0);
});

Deno.test("on arm64 it serves", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  const old = await box.token();
  // As nohup starts it.
  const options = { rekey: EMULATED, before: "trap '' HUP" };
  await using serving = await Serving.start(box, [], options);
  serving.process.kill("SIGHUP");
  assert.equal(await serving.auth(old), 204);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  assert.equal(await serving.auth(old), 401);
  assert.equal(await serving.auth(await box.token()), 204);
  assert.equal((await serving.stop()).code, 0);
});

thoroughly("on arm64 the other commands of the main job answer", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  const old = await box.token();
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  const refused = await emulated(box, ["verify", old, "--json"]);
  assert.equal(refused.code, 3);
  assert.equal(JSON.parse(refused.stdout).code, "retired_kid");
  const status = JSON.parse(await must(box, "status", "--json"));
  assert.deepEqual([status.version, status.location], [2, "database"]);
});

thoroughly("on arm64 a Unix socket that the runtime has taken away is made again", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  const path = join(box.home, "socket");
  await using serving = await Serving.start(box, ["--unix", path], { rekey: EMULATED });
  Deno.removeSync(path);
  await serving.until(() => existsSync(path) && Deno.statSync(path).mode! % 0o1000 === 0o600);
  const ask = ["--silent", "--unix-socket", path, "http://localhost/healthz"];
  assert.equal((await box.exec("/usr/bin/curl", ask)).code, 0);
  assert.equal((await serving.stop()).code, 0);
  assert.ok(!existsSync(path));
});

thoroughly("on arm64 a program under exec is told of a rotation, and to end", async () => {
  using box = new Box({ REKEY_STORE: "database" });
  assert.equal((await box.run(["init"])).code, 0);
  const options = { rekey: EMULATED, flags: ["--on-rotate", "signal:HUP"] };
  await using running = await Running.start(box, listener(), options);
  assert.equal((await box.run(["rotate", "--force"])).code, 0);
  await running.until(() => running.stdout.includes("SIGHUP"));
  running.process.kill("SIGTERM");
  const tooLong = setTimeout(() => running.process.kill("SIGKILL"), HANG_MS);
  assert.equal((await running.ended()).code, 21);
  clearTimeout(tooLong);
});
