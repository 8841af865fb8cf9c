import { canonicalHost, isAddress } from "../http/host.ts";
import { isOwnHost, machineAddresses, type Names } from "../http/own_names.ts";
import { type Address, isLocal, type Settings } from "./settings.ts";

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
