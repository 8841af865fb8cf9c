import assert from "node:assert/strict";
import { AuthManager } from "../../src/auth/manager.ts";
import type { HostOperations } from "../../src/http/host_operations.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { connect, type Port } from "../../src/serve/rpc.ts";
import type { Address, Settings } from "../../src/serve/settings.ts";
import { RequestThread } from "../../src/serve/request_thread.ts";
import { freePort } from "../support/http/ports.ts";
import { filesThatRun } from "../support/process/files_that_run.ts";
import { testEnvironment } from "../support/store/environment.ts";

/** How many files a maintainer opens who follows such a request, down to the system's own. */
const MOST_FILES = 12;

// A listener that was stopped finds out at its next look.
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test("GET /auth about a remembered token passes few files", options, async () => {
  using environment = testEnvironment();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate();
  const { port1, port2 } = new MessageChannel();
  const host: Partial<HostOperations> = {
    value: async (version) => (await secrets.valueOf(version)).secret.reveal(),
    report: () => {},
  };
  const thread = connect<RequestThread>(port1 as Port, host);
  new RequestThread(environment, port2 as Port);
  const address: Address = { kind: "tcp", hostname: "127.0.0.1", port: freePort() };
  const settings: Settings = {
    addresses: [address],
    workers: 1,
    hosts: [],
    trustForwarded: false,
    tls: undefined,
    sessionSeconds: 60,
    maxAgeSeconds: 60,
    accessLog: false,
    debug: false,
    version: "1.0.0",
  };
  await thread.start(settings, address);
  const { token } = await new AuthManager(secrets).issue({ subject: "alice", lifetime: 60 });
  const ask = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${address.port}/auth`, { headers });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("x-auth-subject"), "alice");
    await response.body?.cancel();
  };
  try {
    for (let times = 0; times < 3; times++) await ask();
    let files = await filesThatRun(ask);
    // Timers run something else now and then. What a request passes itself is in every one of them.
    for (let times = 0; times < 4 || (files.length > MOST_FILES && times < 50); times++) {
      const again = await filesThatRun(ask);
      files = files.filter((file) => again.includes(file));
    }
    assert.ok(files.includes("http/app.ts"), "the test must have seen the request");
    assert.ok(files.length <= MOST_FILES, `${files.length} files: ${files.join(", ")}`);
  } finally {
    await thread.stop();
    secrets.close();
    port1.close();
    port2.close();
  }
});
