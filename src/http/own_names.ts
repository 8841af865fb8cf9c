import { canonicalHost, isAddress } from "./host.ts";

/** Which names a server answers to. */
export interface Names {
  /** Names and addresses besides its own, in the form of {@linkcode canonicalHost}. */
  readonly hosts: readonly string[];
  /** Whether every `Host` will do: no browser reaches a Unix socket. */
  readonly anyHost: boolean;
  /** The hosts of its addresses, in the same form. */
  readonly listens: readonly string[];
  /** All addresses of this machine; asked where it listens on all of them. */
  machine(): readonly string[];
}

// A browser finds these on its own machine whatever DNS says (RFC 6761 §6.3), or in the hosts file of the usual
// distributions; none of them can be registered.
const LOOPBACK_NAMES = [
  ...["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"],
  ...["localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6"],
];

const WILDCARDS = ["0.0.0.0", "::"];

/**
 * Whether a `Host` names this server. A page of someone else cannot have an address that the server listens on for
 * its own name, so no such address is refused. Any name but those of the loopback has to be given by the operator: it
 * may be one of the attacker's that leads here (DNS rebinding).
 *
 * @param host in the form of {@linkcode canonicalHost}.
 */
export function isOwnHost(host: string | undefined, names: Names): boolean {
  if (host === undefined) return false;
  return names.hosts.includes(host) || names.listens.includes(host) || isLoopback(host) ||
    isAddress(host) && onEveryAddress(names) && names.machine().includes(host);
}

function isLoopback(host: string): boolean {
  return host === "::1" || isAddress(host) && host.startsWith("127.") ||
    LOOPBACK_NAMES.includes(host) || host.endsWith(".localhost");
}

// What a name stands for is known to the resolver alone.
function onEveryAddress({ listens }: Names): boolean {
  return listens.some((host) => WILDCARDS.includes(host) || !isAddress(host));
}

// Addresses come and go, and whoever asks by one that is none of ours must not cost much.
const KEPT_MS = 1_000;

/** The addresses of this machine, in the form of {@linkcode canonicalHost}, as they were a second ago at most. */
export function machineAddresses(): () => readonly string[] {
  let [asked, known] = [-Infinity, [] as readonly string[]];
  return () => {
    if (performance.now() - asked < KEPT_MS) return known;
    const all = Deno.networkInterfaces().map(({ address }) => canonicalHost(address));
    known = all.filter((address) => address !== undefined);
    asked = performance.now();
    return known;
  };
}
