import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { hasUserManager, withUserManager } from "../support/commands/user_manager.ts";
import { unless } from "../support/faults/faults.ts";
import { KeyringBox, SERVICE } from "../support/keyring/keyring_box.ts";
import { type Box, REKEY } from "../support/process/box.ts";

const ROOT = join(import.meta.dirname!, "../..");
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));
const UNINSTALL = read("docs/install.md").split("## Uninstall")[1]!;

/** The blocks of the chapter, as scripts. */
const BLOCKS = [...UNINSTALL.matchAll(/^ *```sh\n([^]*?)^ *```$/gm)].map(([, block]) => block!);

/** What the table says is left and holds no secret, for both apps. */
const LEFT = new Set(
  ["agiworkforce", "shop"].flatMap((app) =>
    [...UNINSTALL.matchAll(/^ *\| the .*\| `(~\/[^`]+)` +\|$/gm)]
      .map(([, path]) => path!.replace("<app>", app))
  ),
);

/** All of rekey that a machine may have: two apps, timers, a server, a delivery, a sink, copies, a program of `exec`. */
const INSTALL = `
set -e
PATH="$HOME/.local/bin:$PATH"
mkdir "$HOME/.local/bin"
cp '${REKEY}' "$HOME/.local/bin/rekey"
rekey init
rekey init --app shop
rekey deliver add api --format jwks --path "$HOME/api/keys.json"
export REKEY_AUDIT_TO="$HOME/audit.jsonl"
rekey schedule systemd --user --install -- --grace 1h
rekey schedule systemd --user --install --app shop
systemctl --user enable --now rekey-serve
rekey rotate --force --grace 1h
rekey rotate --force --grace 1h --app shop
rekey exec --keys-file --keys-dir "$HOME/memory" -- sleep 600 &
program=$!
until find memory -type f | grep -q .; do sleep 0.1; done
systemctl --user is-active rekey-serve rekey-deliver-agiworkforce
echo "== installed"
find . -type f
for service in "AGI Workforce" shop; do
  secret-tool search --all service "$service" 2>/dev/null | grep '^label'
done
echo "== uninstalling"
`;

/** The chapter as it is written, with what it leaves to the reader. */
function uninstall(): string {
  const [stop, destroy, remove] = BLOCKS as [string, string, string];
  const left = [...LEFT].join(" ");
  return `
unset REKEY_AUDIT_TO
${stop.replace("systemd --remove", "systemd --user --remove")}
rekey schedule systemd --user --remove --app shop
kill $program
wait $program || true
${destroy.replace("age1…", '$(age-keygen -y "$HOME/age.key")')}
rekey destroy --force --app shop
${remove.replace(/^.*dpkg.*$/m, "")}
echo "== not empty"
find ${left} -type f -size +0 2>/dev/null || true
rm -rf ${left}
`;
}

/** Files below the home folder, but for the keyring's own and those of a session. */
function files(box: Box): string[] {
  const others = /^(run|\.cache\/keyring-\w+|\.local\/share\/keyrings)\//;
  return [...box.files().keys()].map((path) => relative(box.home, path))
    .filter((path) => !others.test(path)).sort();
}

/** What a keyring shows of its items under a service. */
async function itemsOf(box: Box, service: string): Promise<string[]> {
  const { stdout } = await box.exec("secret-tool", ["search", "--all", "service", service]);
  return stdout.match(/^\[\//gm) ?? [];
}

Deno.test("what docs/install.md says of uninstalling leaves nothing of rekey", {
  ignore: unless(await hasUserManager(), "root and namespaces, for a systemd of their own"),
}, async () => {
  await using box = await KeyringBox.start();
  const units = join(box.home, ".config/systemd/user");
  Deno.mkdirSync(units, { recursive: true });
  for (const name of ["api", "memory"]) Deno.mkdirSync(join(box.home, name), { mode: 0o700 });
  const unit = read("scripts/package/rekey-serve.service");
  const ours = unit.replace("/usr/bin/rekey", join(box.home, ".local/bin/rekey"));
  Deno.writeTextFileSync(join(units, "rekey-serve.service"), ours);
  assert.equal((await box.exec("age-keygen", ["-o", "age.key"])).code, 0);
  const before = files(box);

  const { code, stdout, stderr } = await withUserManager(box, INSTALL + uninstall());
  assert.equal(code, 0, stdout + stderr);
  const [, installed, , notEmpty] = stdout.split(/^== .*\n/m);
  for (
    const some of [
      ...["share/agiworkforce/agiworkforce.db", "share/shop/shop.db", "agiworkforce.db.v1.backup"],
      ...["rekey-rotate-shop.timer", "rekey-deliver-agiworkforce.service", "stamp-rekey-rotate"],
      ...[".config/rekey/", ".cache/rekey/keyring-", "api/keys.json", "audit.jsonl", "memory/"],
      ...["agiworkforce.jwt_secret.v1", "shop.jwt_secret.v1"],
    ]
  ) assert.ok(installed!.includes(some), `no ${some} to remove: ${installed}`);
  assert.match(notEmpty!, /^\S*\.cache\/rekey\/keyring-\w+\.node\n$/);
  const own = ["audit.jsonl", "last.db"];
  assert.deepEqual(files(box).filter((path) => !before.includes(path)), own);
  assert.deepEqual(await Promise.all([SERVICE, "shop"].map((one) => itemsOf(box, one))), [[], []]);
});

Deno.test("without rekey's database its entries leave the keyring by what docs/install.md says", async () => {
  await using box = await KeyringBox.start();
  assert.equal((await box.run(["init"])).code, 0);
  assert.equal((await box.run(["rotate", "--force", "--grace", "1h"])).code, 0);
  Deno.removeSync(join(box.home, ".local/share/agiworkforce"), { recursive: true });
  assert.ok((await itemsOf(box, SERVICE)).length > 1);
  const { code, stderr } = await box.exec("/bin/sh", ["-c", `set -e\n${BLOCKS.at(-1)}`]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await itemsOf(box, SERVICE), []);
});
