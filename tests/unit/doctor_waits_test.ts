import assert from "node:assert/strict";
import { join } from "node:path";
import { addDelivery } from "../../src/deliver/add.ts";
import { deliveryLock, sync } from "../../src/deliver/sync.ts";
import { examineCheaply } from "../../src/doctor/examination.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { temporary } from "../support/process/box.ts";
import { testEnvironment } from "../support/store/environment.ts";

// The doctor waits three seconds for deliveries. Ten looks, each with a wait of its own, would be 30.
const MOST_MS = 15_000;

Deno.test("the doctor waits once for a delivery that hangs, however often versions change meanwhile", async () => {
  using environment = testEnvironment();
  const folder = temporary();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate({ store: "database" });
  const { installation } = await secrets.open();
  const given = { preset: "jwks", parameters: {}, force: false };
  await addDelivery(installation, { name: "api", path: join(folder, "keys.json"), ...given });
  await sync(secrets);
  Deno.removeSync(join(folder, "keys.json"));
  const changing = changingVersions(installation.database.path);
  try {
    using _delivering = await deliveryLock(installation, 1_000);
    const start = performance.now();
    const findings = await examineCheaply({
      ...{ environment, installation, maxAgeMs: 86_400_000, flags: "" },
      ...{ variable: () => undefined, schedules: () => [], onProgress: () => {} },
    });
    assert.ok(findings.some(({ code }) => code === "delivery_behind"));
    assert.ok(performance.now() - start < MOST_MS, "it waited again and again");
  } finally {
    changing[Symbol.dispose]();
    secrets.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

/** Commits what a rotation changes, as another process would, during each look. */
function changingVersions(path: string): Disposable {
  const other = Database.open(path);
  const next = "UPDATE rekey_versions SET activated_at = activated_at + 1 WHERE state = 'current'";
  const timer = setInterval(() => other.transaction(() => other.prepare(next).run()), 50);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      other.close();
    },
  };
}
