/** What a chat's own service checks of a post, and answers. */
export interface Chat {
  /** Of an address, behind the host. */
  readonly path: string;
  // deno-lint-ignore no-explicit-any
  check(body: any, headers: Headers): string | undefined;
  readonly accepted: { readonly status: number; readonly body: string | null };
  readonly refused: number;
}

const TOKEN = "XyZ1secretTOKENvalue24ch";

const text = (body: { text?: unknown }) =>
  typeof body?.text === "string" && body.text !== "" ? undefined : "no_text";

/** By `--notify-format`; the rules are those that the services document. */
export const CHATS: Readonly<Record<string, Chat>> = {
  slack: {
    path: `/services/T00000000/B00000000/${TOKEN}`,
    check: text,
    accepted: { status: 200, body: "ok" },
    refused: 400,
  },
  mattermost: {
    path: "/hooks/abcdefghijklmnopqrstuvwxyz",
    check: text,
    accepted: { status: 200, body: "ok" },
    refused: 400,
  },
  teams: {
    path: `/workflows/0123456789abcdef/triggers/manual/paths/invoke?sig=${TOKEN}`,
    check({ type, attachments }) {
      const card = attachments?.[0];
      const right = type === "message" && attachments.length === 1 &&
        card.contentType === "application/vnd.microsoft.card.adaptive" &&
        card.content.type === "AdaptiveCard" && /^1\.\d$/.test(card.content.version) &&
        card.content.body.length > 0 &&
        card.content.body.every(({ type, text }: Record<string, unknown>) =>
          type === "TextBlock" && typeof text === "string" && text !== ""
        );
      return right ? undefined : "TriggerInputSchemaMismatch";
    },
    accepted: { status: 202, body: null },
    refused: 400,
  },
  discord: {
    path: `/api/webhooks/123456789012345678/${TOKEN}`,
    check({ content, allowed_mentions }) {
      const right = typeof content === "string" && content !== "" && content.length <= 2_000 &&
        allowed_mentions.parse.length === 0;
      return right ? undefined : '{"message": "Cannot send an empty message", "code": 50006}';
    },
    accepted: { status: 204, body: null },
    refused: 400,
  },
  "google-chat": {
    path: `/v1/spaces/AAAA/messages?key=keykeykey&token=${TOKEN}`,
    check: text,
    accepted: { status: 200, body: '{"name":"spaces/AAAA/messages/BBBB"}' },
    refused: 400,
  },
};

/** A real server that answers as a chat's service does. */
export function chatServer({ path, check, accepted, refused }: Chat) {
  const bodies: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const body = await request.text();
    bodies.push(body);
    if (request.headers.get("content-type") !== "application/json") {
      return new Response("invalid_payload", { status: refused });
    }
    let parsed;
    try {
      parsed = JSON.parse(body);
    } catch {
      return new Response("invalid_payload", { status: refused });
    }
    const fault = check(parsed, request.headers);
    return fault === undefined
      ? new Response(accepted.body, { status: accepted.status })
      : new Response(fault, { status: refused });
  });
  const url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}${path}`;
  return { bodies, url, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A server that refuses everything with an answer. */
export function refusing(status: number, answer: (request: Request) => BodyInit) {
  const posts: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posts.push(await request.clone().text());
    return new Response(answer(request), { status });
  });
  const url = `http://127.0.0.1:${
    (server.addr as Deno.NetAddr).port
  }/services/T0/${TOKEN}?k=${TOKEN}`;
  return { posts, url, token: TOKEN, [Symbol.asyncDispose]: () => server.shutdown() };
}
