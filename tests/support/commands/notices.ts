import { join } from "node:path";
import type { Box } from "../process/box.ts";

/** A rotation, with a reason that a shell must not see. */
export const ROTATE = ["rotate", "--force", "--reason", "a drill; $(touch x)"];

export async function versionOf(box: Box): Promise<number> {
  return (await box.json("status")).version;
}

/** The reasons of the notices in the audit log. */
export async function noticesOf(box: Box): Promise<string[]> {
  const { stdout } = await box.run(["audit", "list", "--event", "notice", "--json"]);
  return stdout.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line).reason);
}

/** A receiver that refuses a number of posts at first. */
export function receiver(refusals = 0) {
  const posts: { headers: Headers; body: string }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posts.push({ headers: request.headers, body: await request.text() });
    return new Response(null, { status: posts.length <= refusals ? 503 : 204 });
  });
  const url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/hook`;
  return { posts, url, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** What {@linkcode receiver} makes. */
export type Receiver = ReturnType<typeof receiver>;

/** A key for the signatures of notices, in a file. */
export function keyFile(box: Box, bytes = 32): [path: string, key: Uint8Array] {
  const key = crypto.getRandomValues(new Uint8Array(bytes));
  const path = join(box.home, "webhook.key");
  Deno.writeTextFileSync(path, `whsec_${key.toBase64()}\n`);
  return [path, key];
}
