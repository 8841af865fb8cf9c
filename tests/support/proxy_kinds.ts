/** The proxies of docs/proxies.md, configured as it says there, with this machine's ports. */
import type { Box } from "./box.ts";
import { adapted, documented, Proxy } from "./proxies.ts";

/** Where the two behind a proxy are. */
export interface Addresses {
  /** A host and port, or the path of a socket. */
  readonly rekey: string;
  readonly upstream: string;
}

/** A proxy with a configuration. */
export interface Kind {
  readonly name: string;
  readonly unix?: true;
  /** What it answers while rekey does not. */
  readonly down: number;
  start(box: Box, addresses: Addresses): Promise<Proxy>;
}

const [NGINX, NGINX_UNIX, NGINX_COOKIE_MAP, NGINX_COOKIE] = documented("nginx") as [
  string,
  string,
  string,
  string,
];
const [CADDY, CADDY_COOKIE] = documented("caddyfile") as [string, string];

function nginx(text: string, { rekey, upstream }: Addresses, box: Box): Promise<Proxy> {
  const server = rekey.startsWith("/")
    ? { "unix:/run/rekey/rekey.sock": `unix:${rekey}` }
    : { "server 127.0.0.1:8700;": `server ${rekey};` };
  return Proxy.nginx(box, (port) =>
    adapted(text, {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "http://127.0.0.1:3000": `http://${upstream}`,
      ...server,
    }));
}

function caddy(text: string, { rekey, upstream }: Addresses, box: Box): Promise<Proxy> {
  return Proxy.caddy(box, (port) =>
    adapted(text, {
      "app.example.com {": `http://app.example.com:${port} {`,
      "127.0.0.1:8700": rekey.startsWith("/") ? `unix/${rekey}` : rekey,
      "127.0.0.1:3000": upstream,
    }));
}

const OVER_UNIX = NGINX.replace(/^upstream rekey \{.*?^\}\n/ms, NGINX_UNIX);

/** Those that are told of a token by its header. */
export const KINDS: Kind[] = [
  {
    name: "nginx",
    down: 500,
    start: (box, addresses) => nginx(NGINX, addresses, box),
  },
  {
    name: "nginx over a Unix socket",
    unix: true,
    down: 500,
    start: (box, addresses) => nginx(OVER_UNIX, addresses, box),
  },
  { name: "Caddy", down: 502, start: (box, addresses) => caddy(CADDY, addresses, box) },
  {
    name: "Caddy over a Unix socket",
    unix: true,
    down: 502,
    start: (box, addresses) => caddy(CADDY, addresses, box),
  },
];

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
