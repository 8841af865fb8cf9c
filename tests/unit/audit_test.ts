import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createHmac, createSecretKey } from "node:crypto";
import { SecretManager } from "../../src/secret/manager.ts";
import { seal, unseal } from "../../src/store/sealed/sealing.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { listAudit } from "../../src/audit/reader.ts";
import { testEnvironment } from "../support/store/environment.ts";

Deno.test("every audit row carries a keyed hash over the one before it and its own columns", async () => {
  using environment = testEnvironment();
  const manager = new SecretManager(environment);
  await manager.getOrCreate();
  await manager.rotate({ reason: "a" });
  await manager.flushNotes();
  const { installation } = await manager.open();
  const binding = { app: "agiworkforce", use: "audit" } as const;
  const sealed = installation.meta.get("audit_key")!;
  const key = Buffer.from(unseal(await installation.kek(), binding, sealed), "base64");
  const rows = listAudit(installation.database, 100);
  assert.ok(rows.length >= 4);
  let previous = "";
  for (const { hash, ...row } of rows) {
    const framed = JSON.stringify([previous, ...Object.values(row)]);
    assert.equal(hash, createHmac("sha256", key).update(framed).digest("base64url"));
    previous = hash;
  }
  manager.close();
});

Deno.test("a sealed value opens only as what it was sealed as", async () => {
  const key = createSecretKey(new Uint8Array(32).fill(1));
  const kek = { id: "k", key, source: "test", generated: false };
  const binding = { app: "a", use: "secret", version: 1, secret_kid: "x" } as const;
  const sealed = await seal(kek, binding, "value");
  assert.equal(unseal(kek, binding, sealed), "value");
  const others = [
    { ...binding, app: "b" },
    { ...binding, version: 2 },
    { ...binding, secret_kid: "y" },
    { app: "a", use: "audit" } as const,
  ];
  for (const other of others) {
    assert.throws(
      () => unseal(kek, other, sealed),
      (error) => isRekeyError(error, "secret_damaged"),
    );
  }
  assert.throws(
    () => unseal({ ...kek, id: "l" }, binding, sealed),
    (error) => isRekeyError(error, "kek_wrong"),
  );
});
