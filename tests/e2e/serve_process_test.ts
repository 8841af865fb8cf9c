import assert from "node:assert/strict";
import { join } from "node:path";
import { initialised } from "../support/process/initialised.ts";
import { logIn } from "../support/http/logging_in.ts";
import { pause, until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { query } from "../support/store/sql.ts";
import { haveOlderUser, OLDER_PASSWORD } from "../support/store/users.ts";
import { start } from "../../scripts/program.ts";

Deno.test("a stop answers what is in flight, takes nothing new, and exits 0", async () => {
  using box = await initialised();
  haveOlderUser(box, "alice", 15);
  await using serving = await Serving.start(box);
  // It takes a while, and is counted before the password is checked: it is in flight when the signal comes. A usual hash
  // may take the ten seconds that it has left, on a machine that is busy with something else.
  const login = logIn(serving, "alice", OLDER_PASSWORD);
  await until(() => query(box, "SELECT * FROM rekey_throttle").length > 0);
  const { code } = await serving.stop();
  assert.equal(code, 0);
  assert.equal((await login).status, 200);
  await assert.rejects(serving.get("/healthz"));
});

Deno.test("SIGINT stops it too, and figures are written down before it ends", async () => {
  using box = await initialised();
  const token = await box.token();
  await using serving = await Serving.start(box);
  for (let i = 0; i < 7; i++) await serving.auth(token);
  assert.equal((await serving.stop("SIGINT")).code, 0);
  assert.equal((await box.json("stats")).verifications.valid, 7);
});

Deno.test("a log that is not read delays neither requests nor the end", async () => {
  using box = await initialised();
  const token = await box.token();
  await using serving = await Serving.start(box, [], { before: "exec >&-" });
  for (let i = 0; i < 50; i++) assert.equal(await serving.auth(token), 204);
  assert.equal((await serving.stop()).code, 0);
});

Deno.test("systemd is told when it is ready, alive, and stopping", async () => {
  using box = await initialised();
  const path = join(box.home, "notify");
  const systemd = Deno.listenDatagram({ transport: "unixpacket", path });
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" };
  const next = async () => new TextDecoder().decode((await systemd.receive())[0]);
  const starting = Serving.start(box, [], { env });
  assert.equal(await next(), "READY=1");
  await using serving = await starting;
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  for (let i = 0; i < 3; i++) assert.equal(await next(), "WATCHDOG=1");
  const stopping = serving.stop();
  for (let state = ""; state !== "STOPPING=1";) state = await next();
  assert.equal((await stopping).code, 0);
  systemd.close();
});

Deno.test("systemd is told by way of an abstract socket, too", async () => {
  using box = await initialised();
  const name = `rekey-test-${crypto.randomUUID()}`;
  const listen = `import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0${name}"); print("bound", flush=True); print(s.recv(100).decode(), flush=True)`;
  const systemd = start("/usr/bin/python3", ["-c", listen], { stdout: "piped" });
  const reader = systemd.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let heard = (await reader.read()).value!;
  await using serving = await Serving.start(box, [], { env: { NOTIFY_SOCKET: `@${name}` } });
  assert.equal(serving.stderr.includes("systemd was not told"), false);
  for (let part = await reader.read(); !part.done; part = await reader.read()) heard += part.value;
  assert.match(heard, /READY=1/);
  await systemd.status;
});

Deno.test("the first answer to a monitor knows what doctor's cheap checks find", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "1"]);
  // The server's own start has put it right.
  Deno.chmodSync(box.database, 0o644);
  const { healthy, findings, examined_at, time } = await (await serving.get("/status.json")).json();
  assert.equal(healthy, false);
  assert.ok(findings.some(({ code }: { code: string }) => code === "file_mode"), findings);
  assert.ok(Date.parse(examined_at) <= Date.parse(time));
});

Deno.test("/status.json says as soon as /readyz that a damaged database cannot be read", async () => {
  using box = await initialised();
  await using serving = await Serving.start(box, ["--workers", "1"]);
  const status = async () => await (await serving.get("/status.json")).json();
  assert.equal((await status()).healthy, true);
  // Longer than an answer is kept; what doctor has found is kept for a minute.
  await pause(1_100);
  const file = await Deno.open(box.database, { write: true });
  await file.write(new Uint8Array(8 * 4_096).fill(0x5a));
  file.close();
  const ready = await serving.get("/readyz");
  assert.equal(ready.status, 503);
  const { code } = await ready.json();
  const { healthy, findings } = await status();
  assert.equal(healthy, false);
  assert.ok(findings.some((one: { code: string }) => one.code === code), JSON.stringify(findings));
});
