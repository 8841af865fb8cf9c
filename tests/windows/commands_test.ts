import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import type { WindowsBox } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";

async function must(box: WindowsBox, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

onWindows("commands that need no secret say what they have to say", async (box) => {
  const about = JSON.parse(await must(box, "version", "--json"));
  assert.deepEqual([about.os, about.arch, about.version], ["windows", "x86_64", config.version]);
  assert.equal(about.addon.name, "@napi-rs/keyring-win32-x64-msvc");
  assert.match(await must(box, "version", "--licenses"), /^Deno .* \(MIT\)$/m);
  assert.match(await must(box, "help", "rotate"), /--grace/);
  assert.match(await must(box, "completions", "powershell"), /Register-ArgumentCompleter/);
  assert.match(
    await must(box, "schedule", "windows"),
    /^<\?xml [^]*<Command>C:\\.*\\rekey\.exe<\/Command>/,
  );
  const { code, stderr } = await box.run(["schedule", "systemd", "--install"]);
  assert.deepEqual([code, stderr.includes("this system has no systemd")], [1, true], stderr);
}, ["database"]);

onWindows("policy, sessions, users, statistics, the log and the KEK", async (box) => {
  await must(box, "init");
  await must(box, "policy", "set", "--iss", "me");
  assert.match(await must(box, "policy", "show"), /me/);
  await must(box, "policy", "clear");
  const token = await box.token("alice");
  const [, payload] = token.split(".");
  const { jti } = JSON.parse(atob(payload!.replaceAll("-", "+").replaceAll("_", "/")));
  assert.ok((await must(box, "session", "list")).includes(jti));
  await must(box, "session", "revoke", jti);
  assert.equal((await box.json("verify", token)).code, "revoked");
  const options = { stdin: "a long enough password\r\n" };
  assert.equal((await box.run(["user", "add", "bob"], options)).code, 0);
  assert.match(await must(box, "user", "list"), /bob/);
  await must(box, "user", "remove", "bob", "--force");
  await must(box, "kek", "rotate");
  assert.equal((await box.json("status")).version, 1);
  await must(box, "security", "rotate-jwt-secret", "--force");
  assert.equal((await box.json("status")).version, 2);
  assert.match(await must(box, "stats"), /^success rate/m);
  assert.match(await must(box, "apps"), /agiworkforce/);
  Deno.writeTextFileSync(`${box.home}/log.jsonl`, await must(box, "audit", "export"));
  await must(box, "audit", "merge", "log.jsonl");
  assert.equal((await box.json("audit", "verify")).valid, true);
  Deno.writeTextFileSync(`${box.home}/log.key`, await must(box, "audit", "key"));
  Deno.writeTextFileSync(`${box.home}/notes`, await must(box, "audit", "checkpoint", "--all"));
  const signed = ["--key", "@log.key", "--checkpoint", "notes"];
  Deno.writeTextFileSync(`${box.home}/log.jsonl`, await must(box, "audit", "export"));
  await must(box, "audit", "verify-export", "log.jsonl", ...signed);
  await must(box, "audit", "prune", "--force", "--retrievals-older-than", "0s");
  assert.equal((await box.json("audit", "verify")).valid, true);
});

onWindows("the audit log goes to a file, each row once, and to files only", async (box) => {
  const to = ["--audit-to", ".\\log.jsonl"];
  await must(box, "init", ...to);
  await must(box, "rotate", "--force", ...to);
  const { sink, lag_rows, error } = await box.json("audit", "sinks");
  assert.deepEqual([sink, lag_rows, error], [box.path("log.jsonl"), 0, null]);
  const sent = Deno.readTextFileSync(`${box.home}/log.jsonl`);
  assert.equal(sent, await must(box, "audit", "export"));
  await must(box, "audit", "sinks", "--remove", sink);
  const { code, stderr } = await box.run(["status", "--audit-to", "journal"]);
  assert.deepEqual([code, stderr.includes("goes to files only")], [2, true], stderr);
}, ["database"]);

onWindows(
  "two apps, paths with spaces and umlauts, and an app's name that Windows keeps for devices",
  async (box) => {
    await must(box, "init", "--app", "acme", "--data-dir", box.path("Daten für Jörg"));
    const status = ["status", "--app", "acme", "--json", "--data-dir", "Daten für Jörg"];
    assert.equal(JSON.parse(await must(box, ...status)).version, 1);
    assert.ok(Deno.statSync(`${box.home}/Daten für Jörg/acme.db`).isFile);
    assert.equal((await box.run(["init", "--app", "nul"])).code, 2);
  },
  ["database"],
);

onWindows("rotations at the same time come one after the other", async (box) => {
  await must(box, "init");
  const all = await Promise.all(Array.from({ length: 4 }, () => box.run(["rotate", "--force"])));
  assert.deepEqual(all.map(({ code, stderr }) => code === 0 ? "" : stderr), ["", "", "", ""]);
  assert.equal((await box.json("status")).version, 5);
  assert.equal((await box.json("audit", "verify")).valid, true);
  assert.equal((await box.json("verify", await box.token())).valid, true);
});
