import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../process/box.ts";
import { childrenOf, type Running } from "../process/running.ts";
import { KeyringBox } from "../keyring/keyring_box.ts";
import { query, sql } from "../store/sql.ts";
import { start } from "../../../scripts/program.ts";
import { until } from "../timing/pause.ts";
import { type Binaries, Installed } from "./installed.ts";

// Says where its file of keys is, and that it was sent a signal.
export const PROGRAM = [
  "/usr/bin/python3",
  "-c",
  `import os, signal, time
signal.signal(signal.SIGHUP, lambda *_: os.write(1, b"told\\n"))
os.write(1, ("ready " + os.environ["REKEY_KEYS_FILE"] + "\\n").encode())
while True: time.sleep(60)`,
];

/** Flags of `exec` for it. */
export const FLAGS = ["--keys-file", "--on-rotate", "signal:HUP"];

/** The kids in the file of keys of a program. */
export function kidsOf({ stdout }: Running): string[] {
  const [, path] = /^ready (.*)$/m.exec(stdout)!;
  return JSON.parse(Deno.readTextFileSync(path!)).keys.map(({ kid }: { kid: string }) => kid);
}

/** A program that the older `exec` has started, when the newer binary rotates. @returns what it showed. */
export async function execAcrossUpgrade({ older, newer }: Binaries): Promise<string> {
  using box = new Box();
  const rekey = new Installed(box, older);
  await rekey.must("init", "--store", "database");
  await using running = await rekey.exec(PROGRAM, FLAGS);
  rekey.install(newer);
  const { stderr } = await rekey.run("rotate", "--force");
  const { kid, stale_processes: stale } = await rekey.json("status");
  if (stale.length === 0) {
    await until(() => kidsOf(running).join() === kid && running.stdout.includes("told"));
    return "a program of the older exec has followed a rotation by the newer binary";
  }
  assert.match(stderr, /^warning: python3 .* has held version 1, .*: restart it$/m);
  await running.until(() => /a newer rekey has migrated it/.test(running.stderr));
  await using again = await rekey.exec(PROGRAM, FLAGS);
  assert.deepEqual(kidsOf(again), [kid]);
  return `a program of the older exec holds an ended version: rotate warns, and exec says: ${running.stderr.trim()}`;
}

/** The unit and the delivery watch that the older `schedule` has written, run by the newer binary. @returns what they did. */
export async function unitsAcrossUpgrade({ older, newer }: Binaries): Promise<string> {
  using box = new Box();
  const rekey = new Installed(box, older);
  await rekey.must("init", "--store", "database");
  const keys = join(box.home, "keys.json");
  await rekey.must("deliver", "add", "api", "--format", "jwks", "--path", keys);
  const flags = ["--user", "--every", "30d", "--json", "--", "--after", "touch followed"];
  const { files }: { files: Text[] } = JSON.parse(
    await rekey.must("schedule", "systemd", ...flags),
  );
  const { files: [cron] }: { files: Text[] } = await rekey.json(
    "schedule",
    "cron",
    "--every",
    "30d",
  );
  rekey.install(newer);
  const due = () => sql(box, "UPDATE rekey_versions SET created_at = created_at - 2678400000");
  const version = async () => (await rekey.json("status")).version;

  due();
  const [rotating, , , watching] = files;
  const ended = await box.exec("/bin/sh", ["-c", lineOf(rotating!.content)]);
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(await version(), 2);
  assert.ok(Deno.statSync(join(box.home, "followed")).isFile);

  due();
  const line = cron!.content.split("\n").find((one) => one.includes("rotate"))!;
  const byCron = await box.exec("/bin/sh", ["-c", line.replace(/^(\S+ ){5}/, "")]);
  assert.equal(byCron.code, 0, byCron.stderr);
  assert.equal(await version(), 3);

  const watch = start("/bin/sh", ["-c", lineOf(watching!.content)], box.surroundings());
  try {
    await until(() => Deno.readTextFileSync(keys).includes("kid"));
    await rekey.must("rotate", "--force");
    const { kid } = await rekey.json("status");
    await until(() => Deno.readTextFileSync(keys).includes(kid));
  } finally {
    watch.kill("SIGTERM");
    await watch.status;
  }
  return "units and cron line of the older schedule rotate and deliver with the newer binary";
}

interface Text {
  readonly content: string;
}

/** A unit's command as a line for the shell, with its environment. */
function lineOf(unit: string): string {
  const [, command] = /^ExecStart=(.*)$/m.exec(unit)!;
  const environment = [...unit.matchAll(/^Environment=(.*)$/gm)].map(([, one]) => one);
  return `${environment.join(" ")} exec ${command}`;
}

/** The older `serve` rotates while its file is replaced, with the secret in the keyring. @returns what it showed. */
export async function serveAcrossUpgrade({ older, newer }: Binaries): Promise<string> {
  await using box = await KeyringBox.start();
  const rekey = new Installed(box, older);
  await rekey.must("init", "--store", "keyring");
  await using serving = await rekey.serve();
  let token = await rekey.token("--scope", "admin");
  const rotate = async (how: string) => {
    const answer = await serving.post("/rotate", { grace: "1h" }, token);
    assert.equal(answer.status, 200, `${how}: ${await answer.text()}`);
  };
  await rotate("before");
  rekey.install(newer);
  await rotate("after");
  // The helper that it starts next is the newer file.
  childrenOf(serving.process.pid).forEach((id) => Deno.kill(id, "SIGKILL"));
  await rotate("with a newer helper");
  assert.equal(await serving.auth(token), 204);
  rekey.install(older);
  token = await rekey.token();
  assert.equal(await serving.auth(token), 204);
  assert.equal((await rekey.json("status")).version, 4);
  rekey.install(newer);
  await rekey.must("verify", token);
  await rekey.must("audit", "verify");
  assert.equal(query(box, "SELECT 1 FROM rekey_versions WHERE state = 'current'").length, 1);
  return "the older serve goes on rotating in the keyring while its file is replaced";
}
