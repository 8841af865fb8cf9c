import { isIPv4 } from "node:net";
import {
  canonicalHost,
  isAddress,
  isOwnHost,
  machineAddresses,
  type Names,
} from "../http/host_names.ts";

/** Where `serve` listens. */
export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | {
    readonly kind: "unix";
    readonly path: string;
    /** Of the socket file. */
    readonly mode: number;
    /** Number of the group of the file; `undefined`: the default group of new files. */
    readonly group: number | undefined;
  };

/** Settings of `serve`, from its flags. */
export interface Settings {
  /** One that all request threads share, or a Unix socket for each. */
  readonly addresses: readonly Address[];
  /** Number of request threads. */
  readonly workers: number;
  /** Values of `--host`, in the form of `canonicalHost`. */
  readonly hosts: readonly string[];
  readonly trustForwarded: boolean;
  /** A URL: `iss` of the tokens, for verifiers that look for the keys there; `undefined`: none is told. */
  readonly issuer?: string | undefined;
  /** In PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** File with the token of a monitoring system; `undefined`: there is none. */
  readonly metricsTokenFile?: string | undefined;
  /** Lifetime of tokens from a login, in seconds. */
  readonly sessionSeconds: number;
  /** Age of the secret at which a rotation is due, in seconds. */
  readonly maxAgeSeconds: number;
  readonly accessLog: boolean;
  /** How long to serve without news of the shared state; `undefined`: nothing is shared. */
  readonly freshness?: { readonly buffer: SharedArrayBuffer; readonly maxStalenessMs: number };
  /** Whether the log has stack traces of bugs, which may quote arguments of a library. */
  readonly debug: boolean;
  /** Version of the program. */
  readonly version: string;
}

/** Whether only this machine can reach an address. */
export function isLocal(address: Address): boolean {
  if (address.kind === "unix") return true;
  const { hostname } = address;
  return hostname === "localhost" || hostname === "::1" ||
    isIPv4(hostname) && hostname.startsWith("127.");
}

/** The names that the server answers to. */
export function ownNames({ hosts }: Pick<Settings, "hosts">, address: Address): Names {
  const listens = address.kind === "unix" ? [] : [canonicalHost(address.hostname)];
  return {
    hosts,
    anyHost: address.kind === "unix",
    listens: listens.filter((host) => host !== undefined),
    machine: machineAddresses(),
  };
}

/** Warns if requests under the expected names will be refused. */
export function namesMissing(settings: Settings, address: Address): string[] {
  if (address.kind === "unix") return [];
  const names = ownNames(settings, address);
  const host = canonicalHost(address.hostname);
  if (!isOwnHost(host, names)) {
    return [`requests to ${address.hostname} will be refused (421): name it with --host`];
  }
  const byAddressOnly = settings.hosts.length === 0 && host !== undefined && isAddress(host);
  return isLocal(address) || !byAddressOnly ? [] : [
    "only requests to an IP address of this machine are answered, others are refused (421): " +
    "name each host name of this server with --host",
  ];
}

/** Warns if verifiers that look for the keys at the issuer's name will refuse tokens. @param own that of tokens. */
export function issuerWarnings(
  issuer: string | undefined,
  own: readonly string[] | undefined,
): string[] {
  if (issuer === undefined || own?.[0] === issuer) return [];
  return [
    `tokens get ${own === undefined ? "no iss" : "another iss"} unless \`issue --iss\` says so, ` +
    `and verifiers that trust ${issuer} will refuse them: \`rekey policy set --iss ${issuer}\``,
  ];
}

/** The host of an address as a URL contains it. */
export function hostInUrl({ hostname }: Extract<Address, { kind: "tcp" }>): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
