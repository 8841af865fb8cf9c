import type { Etcd } from "./etcd.ts";

/** Passes calls on to a real etcd, and does with them what a network can do, but not on demand. */
export function between(
  etcd: Etcd,
  hook: (body: string, pass: () => Promise<Response>, path: string) => Promise<Response>,
) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      const { pathname } = new URL(request.url);
      const url = etcd.members[0]!.url + pathname;
      const { signal } = request;
      return await hook(body, () => fetch(url, { method: "POST", body, signal }), pathname)
        .catch(() => new Response("", { status: 502 }));
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    stop: () => server.shutdown().catch(() => {}),
  };
}

/** What a member says that cannot reach the others in time. */
export const unavailable = () =>
  Promise.resolve(
    Response.json({ error: "etcdserver: request timed out", code: 14 }, { status: 503 }),
  );
