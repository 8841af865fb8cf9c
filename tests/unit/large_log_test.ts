import assert from "node:assert/strict";
import { largeLog } from "../../src/doctor/checks/audit_and_clock.ts";
import type { OpenDoctorContext } from "../../src/doctor/findings.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { changeRetention } from "../../src/secret/retention.ts";
import { testEnvironment } from "../support/store/environment.ts";

Deno.test("doctor: a log of a million rows is a finding until a retention is set, as its command says", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  const { installation } = await manager.open();
  const context = { flags: "--app acme", installation } as unknown as OpenDoctorContext;
  assert.deepEqual(largeLog(context, 999_999), []);
  const [finding, ...more] = largeLog(context, 1_000_000);
  assert.deepEqual([finding?.code, more], ["audit_large", []]);
  assert.match(finding!.command!, /^rekey --app acme policy set --audit-retention 400d /);
  const retention = { all: 400 * 86_400 };
  await changeRetention(installation, () => retention, () => "400d");
  assert.deepEqual(largeLog(context, 1_000_000), []);
  manager.close();
});
