import { at, both, type Row } from "./row.ts";

/** Addresses and sockets of `serve`. */
export const SERVING: readonly Row[] = [
  {
    what: "the address of `--listen`",
    pattern: /^127\.0\.0\.1:(PORT|0)$/,
    how: "listens on",
    ...both(["serve"]),
    why: "to serve",
  },
  {
    what: "the same address",
    pattern: /^127\.0\.0\.1:PORT$/,
    how: "connects to",
    ...both(["serve"]),
    why: "checks whether it still listens",
  },
  {
    what: "the socket of `--unix`",
    pattern: at("~/named/socket"),
    how: "listens on",
    ...both(["serve --unix"]),
    why: "to serve",
  },
  {
    what: "the same socket",
    pattern: at("~/named/socket"),
    how: "writes",
    ...both(["serve --unix"]),
    why: "gets mode 0600, and is deleted at the end",
  },
  {
    what: "`$NOTIFY_SOCKET`",
    pattern: at("~/named/notify"),
    how: "connects to",
    ...both(["serve"]),
    why: "tells systemd that it is ready",
  },
];
