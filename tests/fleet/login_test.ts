import { join } from "node:path";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { pause, until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { must as mustRun } from "../../scripts/program.ts";
import { makeUsers } from "../support/cluster/etcd_apart.ts";

const PASSWORD = "correct horse battery staple";

/** An etcd whose logins are bound to its users and roles as they were at that time. */
async function withTokens(folder: string): Promise<Etcd> {
  const [secret, known] = [join(folder, "key.pem"), join(folder, "public.pem")];
  for (
    const args of [
      ["genrsa", "-out", secret, "2048"],
      ["rsa", "-in", secret, "-pubout", "-out", known],
    ]
  ) {
    await mustRun("openssl", args);
  }
  const kind = `jwt,pub-key=${known},priv-key=${secret},sign-method=RS256,ttl=1h`;
  const etcd = await Etcd.start(1, ["--auth-token", kind]);
  await makeUsers(etcd, PASSWORD, "/login/");
  return etcd;
}

Deno.test("a server logs in again when etcd's users or roles have changed", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  await using etcd = await withTokens(folder);
  using fleet = new Fleet(etcd, 1, "login");
  const [box] = fleet.machines as [Box];
  box.env.REKEY_ETCD_USER = "rekey";
  box.env.REKEY_ETCD_PASSWORD_FILE = join(folder, "password");
  Deno.writeTextFileSync(box.env.REKEY_ETCD_PASSWORD_FILE, PASSWORD);
  await must(box, "init");
  await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "2s"]);
  const token = await box.token();
  const answers = (status: number) => until(async () => await server.auth(token) === status);
  await answers(204);
  await etcd.ctl("role", "add", "another");
  // Longer than it goes on without an answer.
  await pause(2_500);
  await answers(204);
  // What it may do is taken away and given back.
  await etcd.ctl("user", "revoke-role", "rekey", "rekey");
  await answers(503);
  await etcd.ctl("user", "grant-role", "rekey", "rekey");
  await answers(204);
  Deno.removeSync(folder, { recursive: true });
});
