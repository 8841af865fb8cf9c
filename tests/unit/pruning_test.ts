import assert from "node:assert/strict";
import { RekeyError } from "../../src/core/errors.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { Pruning } from "../../src/serve/pruning.ts";
import { testEnvironment } from "../support/store/environment.ts";

Deno.test("a server says once why the log is not pruned, and when it is again", async () => {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  const said: string[] = [];
  const telling = {
    warn: (text: string) => said.push(`warning: ${text}`),
    remark: (text: string) => said.push(text),
  };
  let failure: RekeyError | undefined = new RekeyError("check_failed", "broken");
  const prune = () => failure === undefined ? Promise.resolve(0) : Promise.reject(failure);
  const pruning = new Pruning(secrets, telling, prune);
  await pruning.run();
  assert.deepEqual(said, [], "there is no secret: the server says that itself");
  await secrets.getOrCreate({ store: "database" });
  await pruning.run();
  await pruning.run();
  failure = new RekeyError("busy", "busy");
  await pruning.run();
  assert.deepEqual(said.splice(0), ["warning: the audit log is not pruned: broken"]);
  failure = undefined;
  await pruning.run();
  await pruning.run();
  assert.deepEqual(said, ["pruning the audit log no longer fails"]);
  secrets.close();
});
