import assert from "node:assert/strict";
import { delay } from "../../src/core/async.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { EtcdClient } from "../../src/etcd/client.ts";

/** Works with a client of one member that takes so long for each answer, in milliseconds. */
async function slowly(
  answerMs: number,
  work: (client: EtcdClient, asked: string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (from) => {
      asked.push(new URL(from.url).pathname);
      await delay(answerMs);
      return Response.json({ header: { cluster_id: "1" }, token: "token", kvs: [] });
    },
  );
  const endpoints = [`http://127.0.0.1:${server.addr.port}`];
  const user = { name: "rekey", password: () => "password" };
  try {
    await work(new EtcdClient({ endpoints, prefix: "/rekey/", user }), asked);
  } finally {
    await server.shutdown();
  }
}

const isUnavailable = (error: unknown) => isRekeyError(error, "etcd_unavailable");

Deno.test("the only member of etcd has five seconds for an answer, its login included", async () => {
  await slowly(2_000, async (client) => assert.deepEqual(await client.range("x"), []));
  await slowly(3_000, async (client, asked) => {
    await assert.rejects(client.range("x"), isUnavailable);
    assert.deepEqual(asked, ["/v3/auth/authenticate", "/v3/kv/range"]);
  });
});

Deno.test("who asks again soon anyway waits a second and a half for the only member", () =>
  slowly(1_600, async (client) => {
    client.answerWithin(1_000);
    await assert.rejects(client.range("x"), isUnavailable);
    client.answerWithin(5_000);
    assert.deepEqual(await client.range("x"), []);
  }));
