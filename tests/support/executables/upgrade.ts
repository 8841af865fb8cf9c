import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../process/box.ts";
import { type Binaries, Installed } from "./installed.ts";

/**
 * Goes from an older binary to a newer one while the older `serve` runs, and back to the older one by the copy that was
 * made before the migration. Throws where a step does not do what docs/install.md says.
 *
 * @returns what each step showed.
 */
export async function goThroughUpgrade({ older, newer }: Binaries): Promise<string[]> {
  using box = new Box();
  const rekey = new Installed(box, older);
  const told: string[] = [];
  const tell = (what: string) => void told.push(what);

  await rekey.must("init", "--store", "database");
  await rekey.must("rotate", "--force");
  const token = await rekey.token();
  await using serving = await rekey.serve();
  assert.equal(await serving.auth(token), 204);
  tell("older: init, rotate, issue, serve; its token is accepted");

  rekey.install(newer);
  assert.equal(await serving.auth(token), 204);
  tell("the file is replaced: the running older serve goes on");
  await rekey.must("verify", token);
  assert.equal((await rekey.json("status")).version, 2);
  tell("newer: verify and status use the migrated database");
  tell(`copies before the migration: ${copies(box).map((path) => path.split(".").at(-2)).join()}`);

  tell(`the older serve answers ${await serving.auth(token)} now`);
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  await serving.stop();

  await backAgain(rekey, older, { token, tell });
  rekey.install(newer);
  await rekey.must("rotate", "--force");
  assert.deepEqual(copies(box), []);
  tell("newer again: after a rotation no copy is left");
  assert.equal((await rekey.run("verify", token)).code, 3);
  await rekey.must("destroy", "--force");
  const left = [...box.files().keys()].map((path) => path.slice(box.home.length));
  tell(`left after destroy: ${left.filter((path) => path !== "/rekey").join(" ")}`);
  tell(await acrossRotation({ older, newer }));
  return told;
}

/** The copies from before a migration. */
function copies(box: Box): string[] {
  return [...box.files().keys()].filter((path) =>
    path.startsWith(box.database) && /\.schema\d+\.backup$/.test(path)
  );
}

/** A rotation by the newer binary while the older one serves: the ended token must not be accepted. */
async function acrossRotation({ older, newer }: Binaries): Promise<string> {
  using box = new Box();
  const rekey = new Installed(box, older);
  await rekey.must("init", "--store", "database");
  const token = await rekey.token();
  await using serving = await rekey.serve();
  assert.equal(await serving.auth(token), 204);
  rekey.install(newer);
  await rekey.must("rotate", "--force");
  const ended = await serving.auth(token);
  assert.ok(ended !== 204, "an ended token is accepted");
  const answers = `${ended} to the ended token, ${await serving.auth(await rekey.token())}`;
  return `after a rotation by the newer binary the older serve answers ${answers} to a new one`;
}

interface Showing {
  readonly token: string;
  tell(what: string): void;
}

/** The downgrade that docs/install.md describes. */
async function backAgain(rekey: Installed, older: string, { token, tell }: Showing) {
  const { box } = rekey;
  rekey.install(older);
  const refused = await rekey.run("verify", token);
  tell(`the older binary on the newer database: exit ${refused.code}, ${refused.stderr.trim()}`);
  const [copy] = copies(box);
  if (copy === undefined) return tell("the schema is the same: nothing to bring back");
  assert.equal(refused.code, 4);
  await moveAside(box);
  await rekey.must("restore", join(box.home, "newer", copy.split("/").at(-1)!));
  await rekey.must("verify", token);
  assert.equal((await rekey.json("status")).version, 2);
  await rekey.must("audit", "verify");
  tell("older: restore of the copy; its token verifies, its audit log is whole");
  await using serving = await rekey.serve();
  assert.equal(await serving.auth(token), 204);
  tell("older: serve accepts the token");
}

/** Moves the database into `newer`, by the line of docs/install.md. */
export async function moveAside(box: Box): Promise<void> {
  const { code, stderr } = await box.exec("/bin/sh", [
    "-c",
    "mkdir newer && mv ~/.local/share/agiworkforce/agiworkforce.db* newer/",
  ]);
  assert.equal(code, 0, stderr);
}
