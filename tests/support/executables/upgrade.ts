import assert from "node:assert/strict";
import { join } from "node:path";
import { Serving } from "../http/serving.ts";
import { Box, type Ended, REKEY } from "../process/box.ts";

/**
 * Goes from an older binary to this one while the older `serve` runs, and back to the older one by the copy that was made
 * before the migration. Throws where a step does not do what docs/install.md says.
 *
 * @returns what each step showed.
 */
export async function goThroughUpgrade(older: string): Promise<string[]> {
  using box = new Box();
  const program = join(box.home, "rekey");
  const install = (binary: string) => {
    Deno.copyFileSync(binary, `${program}.new`);
    Deno.renameSync(`${program}.new`, program);
  };
  const told: string[] = [];
  const tell = (what: string) => void told.push(what);
  const rekey = (...args: string[]) => box.exec(program, args);

  install(older);
  must(await rekey("init", "--store", "database"));
  must(await rekey("rotate", "--force"));
  const token = must(await rekey("issue", "--sub", "alice", "--quiet")).trim();
  must(await rekey("schedule", "cron"));
  const options = { rekey: [program] };
  await using serving = await Serving.start(box, ["--workers", "1"], options);
  assert.equal(await serving.auth(token), 204);
  tell("older: init, rotate, issue, serve; its token is accepted");

  install(REKEY);
  assert.equal(await serving.auth(token), 204);
  tell("the file is replaced: the running older serve goes on");
  must(await rekey("verify", token));
  const status = JSON.parse(must(await rekey("status", "--json")));
  assert.equal(status.version, 2);
  tell("newer: verify and status use the migrated database");
  const copies = () =>
    [...box.files().keys()].filter((path) =>
      path.startsWith(box.database) && /\.schema\d+\.backup$/.test(path)
    );
  tell(`copies before the migration: ${copies().map((path) => path.split(".").at(-2)).join()}`);

  tell(`the older serve answers ${await serving.auth(token)} now`);
  assert.equal(await serving.status(serving.get("/healthz")), 200);
  await serving.stop();

  await backAgain({ box, older, install, rekey, token, copies, tell });
  install(REKEY);
  must(await rekey("rotate", "--force"));
  assert.deepEqual(copies(), []);
  tell("newer again: after a rotation no copy is left");
  assert.equal((await rekey("verify", token)).code, 3);
  must(await rekey("destroy", "--force"));
  const left = [...box.files().keys()].map((path) => path.slice(box.home.length));
  tell(`left after destroy: ${left.filter((path) => path !== "/rekey").join(" ")}`);
  tell(await acrossRotation(older));
  return told;
}

/** A rotation by the newer binary while the older one serves: the ended token must not be accepted. */
async function acrossRotation(older: string): Promise<string> {
  using box = new Box();
  must(await box.exec(older, ["init", "--store", "database"]));
  const token = must(await box.exec(older, ["issue", "--sub", "alice", "--quiet"])).trim();
  await using serving = await Serving.start(box, ["--workers", "1"], { rekey: [older] });
  assert.equal(await serving.auth(token), 204);
  must(await box.run(["rotate", "--force"]));
  const ended = await serving.auth(token);
  assert.ok(ended !== 204, "an ended token is accepted");
  const fresh = must(await box.run(["issue", "--sub", "alice", "--quiet"])).trim();
  const answers = `${ended} to the ended token, ${await serving.auth(fresh)} to a new one`;
  return `after a rotation by the newer binary the older serve answers ${answers}`;
}

interface Downgrade {
  readonly box: Box;
  readonly older: string;
  install(binary: string): void;
  rekey(...args: string[]): Promise<Ended>;
  readonly token: string;
  copies(): string[];
  tell(what: string): void;
}

/** The downgrade that docs/install.md describes. */
async function backAgain({ box, older, install, rekey, token, copies, tell }: Downgrade) {
  install(older);
  const refused = await rekey("verify", token);
  tell(`the older binary on the newer database: exit ${refused.code}, ${refused.stderr.trim()}`);
  const [copy] = copies();
  if (copy === undefined) return tell("the schema is the same: nothing to bring back");
  assert.equal(refused.code, 4);
  must(
    await box.exec("/bin/sh", [
      "-c",
      `
    mkdir newer && mv "$0"* newer/ && ls newer`,
      box.database,
    ]),
  );
  const moved = join(box.home, "newer", copy.split("/").at(-1)!);
  must(await rekey("restore", moved));
  must(await rekey("verify", token));
  assert.equal(JSON.parse(must(await rekey("status", "--json"))).version, 2);
  must(await rekey("audit", "verify"));
  tell("older: restore of the copy; its token verifies, its audit log is whole");
  await using serving = await Serving.start(box, ["--workers", "1"], {
    rekey: [join(box.home, "rekey")],
  });
  assert.equal(await serving.auth(token), 204);
  tell("older: serve accepts the token");
}

function must({ code, stdout, stderr }: Ended): string {
  assert.equal(code, 0, stderr);
  return stdout;
}
