/** The proxies of docs/proxies.md, configured as it says there, with this machine's ports. */
import type { Box } from "../process/box.ts";
import { adapted, documented, Proxy } from "./proxies.ts";

/** Where the two behind a proxy are. */
export interface Addresses {
  /** A host and port; empty where there are Unix sockets. */
  readonly rekey: string;
  /** Their paths. */
  readonly sockets?: readonly string[];
  readonly upstream: string;
}

/** A proxy with a configuration. */
export interface Kind {
  readonly name: string;
  /** Number of Unix sockets on which rekey listens, in place of a port. */
  readonly sockets?: number;
  /** What it answers while rekey does not. */
  readonly down: number;
  start(box: Box, addresses: Addresses): Promise<Proxy>;
}

type Six = [string, string, string, string, string, string];
type Twelve = [...Six, ...Six];

const [
  NGINX,
  NGINX_UNIX,
  NGINX_SOCKETS,
  NGINX_COOKIE_MAP,
  NGINX_COOKIE,
  NGINX_PREFLIGHT_MAP,
  NGINX_PREFLIGHT,
  NGINX_QUERY_MAPS,
  NGINX_QUERY,
  NGINX_KEPT_ZONE,
  NGINX_KEPT,
  NGINX_CHECKED_TOKEN,
] = documented("nginx") as Twelve;
const [
  CADDY,
  CADDY_COOKIE,
  CADDY_PREFLIGHT,
  CADDY_LOG,
  CADDY_QUERY,
  CADDY_QUERY_AFTER,
] = documented("caddyfile") as Six;

function nginx(
  text: string,
  { rekey, sockets, upstream }: Addresses,
  box: Box,
  user?: string,
): Promise<Proxy> {
  const server = sockets === undefined ? { "127.0.0.1:8700": rekey } : inPlaceOf(sockets);
  return Proxy.nginx(box, (port) =>
    adapted(text, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "server 127.0.0.1:3000;": `server ${upstream};`,
      ...server,
    }), user);
}

/** What stands for the sockets in a documented upstream of nginx. */
export function inPlaceOf(paths: readonly string[]): Record<string, string> {
  const names = paths.length === 1 ? ["rekey"] : paths.map((_, n) => n + 1);
  return Object.fromEntries(paths.map((path, n) => [`/run/rekey/${names[n]}.sock`, path]));
}

function caddy(
  text: string,
  { rekey, sockets, upstream }: Addresses,
  box: Box,
  global?: string,
): Promise<Proxy> {
  return Proxy.caddy(box, (port) =>
    adapted(text, {
      "app.example.com {": `http://app.example.com:${port} {`,
      "127.0.0.1:8700": sockets?.map((path) => `unix/${path}`).join(" ") ?? rekey,
      "127.0.0.1:3000": upstream,
    }), global);
}

const [OVER_UNIX, OVER_SOCKETS] = [NGINX_UNIX, NGINX_SOCKETS].map((upstream) =>
  NGINX.replace(/^upstream rekey \{.*?^\}\n/ms, upstream)
) as [string, string];

/** Those that are told of a token by its header. */
export const KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => nginx(NGINX, addresses, box),
  },
  {
    name: "nginx over two Unix sockets",
    sockets: 2,
    down: 500,
    start: (box, addresses) => nginx(OVER_SOCKETS, addresses, box),
  },
  { name: "Caddy", down: 502, start: (box, addresses) => caddy(CADDY, addresses, box) },
  {
    name: "Caddy over two Unix sockets",
    sockets: 2,
    down: 502,
    start: (box, addresses) => caddy(CADDY, addresses, box),
  },
];

/** nginx that keeps answers for a second. */
export const KEPT: Kind = {
  name: "nginx that keeps answers",
  down: 500,
  start: (box, addresses) => nginx(keepingAnswers(NGINX, box), addresses, box),
};

/** A configuration of nginx that keeps answers as the page says, in a box. */
export function keepingAnswers(server: string, box: Box): string {
  return adapted(NGINX_KEPT_ZONE, { "/run/rekey-nginx": `${box.home}/kept` }) + adapted(server, {
    "internal;": `internal;\n${NGINX_KEPT}`,
    "location / {": `location / {\n${NGINX_CHECKED_TOKEN}`,
  });
}

/** Those that are told of a token by a cookie. */
export const COOKIE_KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => {
      const server = adapted(NGINX, { "internal;": `internal;\n${NGINX_COOKIE}` });
      return nginx(NGINX_COOKIE_MAP + server, addresses, box);
    },
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, addresses) => {
      const site = adapted(CADDY, { "forward_auth ": `${CADDY_COOKIE}forward_auth ` });
      return caddy(site, addresses, box);
    },
  },
];

/** Those that take uploads: also with nginx's limit where only the application's location has it. */
export const UPLOAD_KINDS: Kind[] = [...KINDS, {
  name: "nginx with a limit of the location's own",
  down: 500,
  start: (box, addresses) => {
    const limit = "client_max_body_size 100m;";
    const text = adapted(NGINX, { [limit]: "", "location / {": `location / {\n${limit}` });
    return nginx(text, addresses, box);
  },
}];

/** Those that ask for a scope. */
export const SCOPE_KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => {
      const asks = { "http://rekey/auth;": "http://rekey/auth?scope=admin;" };
      return nginx(adapted(NGINX, asks), addresses, box);
    },
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, addresses) =>
      caddy(adapted(CADDY, { "uri /auth?": "uri /auth?scope=admin" }), addresses, box),
  },
];

/** Those that let preflights through. */
export const PREFLIGHT_KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => {
      const server = adapted(NGINX, { "internal;": `${NGINX_PREFLIGHT}\ninternal;` });
      return nginx(NGINX_PREFLIGHT_MAP + server, addresses, box);
    },
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, addresses) =>
      caddy(adapted(CADDY, { "\thandle {": `${CADDY_PREFLIGHT}\thandle {` }), addresses, box),
  },
];

/** Those that are told of a token by the query of a WebSocket; nginx writes `access.log` into the box. */
export const QUERY_KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => {
      const server = adapted(NGINX, { "location = /login": `${NGINX_QUERY}\nlocation = /login` });
      const logs = { "/var/log/nginx/": `${box.home}/` };
      return nginx(adapted(NGINX_QUERY_MAPS + server, logs), addresses, box);
    },
  },
  {
    name: "Caddy",
    down: 502,
    start: (box, addresses) => {
      const site = adapted(CADDY, {
        "app.example.com {": `app.example.com {\n${CADDY_LOG}`,
        "forward_auth ": `${CADDY_QUERY}forward_auth `,
        "\t\t\treverse_proxy 127": `${CADDY_QUERY_AFTER}\t\t\treverse_proxy 127`,
      });
      return caddy(site, addresses, box, CADDY_LOG);
    },
  },
];

/** nginx whose workers are of another user than rekey, and share a group with its socket. */
export function nginxAs(user: string): Kind {
  return {
    name: `nginx as ${user}`,
    sockets: 1,
    down: 500,
    start: (box, addresses) => nginx(OVER_UNIX, addresses, box, user),
  };
}
