import { isIPv4 } from "node:net";
import { canonicalHost, isAddress, isOwnHost, machineAddresses, type Names } from "../http/host.ts";

/** Where `serve` listens. */
export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | {
    readonly kind: "unix";
    readonly path: string;
    /** Of the socket's file. */
    readonly mode: number;
    /** The number of the group that it is given to; `undefined`: the one that new files have. */
    readonly group: number | undefined;
  };

/** What `serve` was told. */
export interface Settings {
  readonly address: Address;
  /** How many threads answer requests. */
  readonly workers: number;
  /** Names besides its own that it answers to, in the form of `canonicalHost`. */
  readonly hosts: readonly string[];
  readonly trustForwarded: boolean;
  /** PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** How long the token of a login is valid, in seconds. */
  readonly sessionSeconds: number;
  /** Age at which a rotation is due, in seconds. */
  readonly maxAgeSeconds: number;
  readonly accessLog: boolean;
  /** How long it goes on without hearing from the machines that share its secret; none when none do. */
  readonly freshness?: { readonly buffer: SharedArrayBuffer; readonly maxStalenessMs: number };
  /** Whether the log tells where a bug happened: its text may quote what a library was given. */
  readonly debug: boolean;
  /** Of the program. */
  readonly version: string;
}

/** Whether only this machine can reach an address. */
export function isLocal(address: Address): boolean {
  if (address.kind === "unix") return true;
  const { hostname } = address;
  return hostname === "localhost" || hostname === "::1" ||
    isIPv4(hostname) && hostname.startsWith("127.");
}

/** Which names a server answers to, by where it listens and what it was told. */
export function ownNames({ address, hosts }: Pick<Settings, "address" | "hosts">): Names {
  const listens = address.kind === "unix" ? [] : [canonicalHost(address.hostname)];
  return {
    hosts,
    anyHost: address.kind === "unix",
    listens: listens.filter((host) => host !== undefined),
    machine: machineAddresses(),
  };
}

/** What the operator should know of the names in a request that will be refused. */
export function namesMissing(settings: Settings, address: Address): string[] {
  if (address.kind === "unix") return [];
  const names = ownNames({ ...settings, address });
  const host = canonicalHost(address.hostname);
  if (!isOwnHost(host, names)) {
    return [`requests to ${address.hostname} will be refused (421): name it with --host`];
  }
  const byAddressOnly = settings.hosts.length === 0 && host !== undefined && isAddress(host);
  return isLocal(address) || !byAddressOnly ? [] : [
    "only requests to an IP address of this machine are answered, others are refused (421): " +
    "give each name that it is reached by with --host",
  ];
}

/** Where an address is to be asked: its host as it stands in a URL. */
export function hostInUrl({ hostname }: Extract<Address, { kind: "tcp" }>): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
