import { isIP, isIPv4, isIPv6 } from "node:net";

// What a host can look like in front of its port: names with an underscore are in use, and some programs write an
// IPv6 address without its brackets.
const BRACKETED = /^\[([0-9a-f:.]+)(?:%[\w.%~-]*)?\](?::\d{0,5})?$/i;
const NAMED = /^([\w.-]+)(?::\d{0,5})?$/;

/**
 * The host of an authority (RFC 3986 §3.2.2) in the one form that can be compared: lower case, without a port, a
 * final dot, brackets and a zone; an IPv4 address in IPv6's form as the IPv4 address.
 *
 * @param authority as it stands in `Host`, in a URL or in a flag.
 * @returns `undefined` for what can be none.
 */
export function canonicalHost(authority: string): string | undefined {
  if (isIPv6(authority)) return canonicalIPv6(authority.replace(/%.*$/, ""));
  const bracketed = BRACKETED.exec(authority)?.[1];
  if (bracketed !== undefined) return canonicalIPv6(bracketed);
  const name = NAMED.exec(authority)?.[1]?.replace(/\.$/, "");
  if (!name || !URL.canParse(`http://${name}/`)) return undefined;
  const { hostname } = new URL(`http://${name}/`);
  // Only some programs take 127.1 or 0x7f000001 for an address.
  return isIPv4(hostname) && hostname !== name ? undefined : hostname;
}

/** Whether a canonical host is an address and no name. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

/** An authority without the port that its scheme has by default. */
export function withoutDefaultPort(authority: string, protocol: string): string {
  const port = protocol === "https:" ? ":443" : ":80";
  return authority.endsWith(port) ? authority.slice(0, -port.length) : authority;
}

function canonicalIPv6(address: string): string | undefined {
  if (!URL.canParse(`http://[${address}]/`)) return undefined;
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  // RFC 4291 §2.5.5.2.
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short)?.slice(1);
  if (mapped === undefined) return short;
  const [high, low] = mapped.map((group) => parseInt(group, 16)) as [number, number];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

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

/**
 * What an address counts as when attempts are counted by it: one text for each IPv4 address, one for each IPv6
 * network of 64 bits, since a client has all addresses of such a network. `undefined` for anything else.
 *
 * @param text as proxies write it, with a port or without.
 */
export function countedAddress(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ??
    text;
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6:
      return networkOf(bare);
    default:
      return undefined;
  }
}

function networkOf(address: string): string | undefined {
  // A zone names an interface of this machine and no other client.
  const [plain] = address.split("%");
  const [head, tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined) => part ? part.split(":") : [];
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array(8 - first.length - last.length).fill("0");
  const all = tail === undefined ? first : [...first, ...zeros, ...last];
  // An IPv4 address in IPv6's clothes (RFC 4291 §2.5.5.2).
  if (all.slice(0, 5).every((group) => group === "0") && all[5] === "ffff") {
    const [high, low] = all.slice(6).map((group) => parseInt(group, 16)) as [number, number];
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return `${all.slice(0, 4).join(":")}::/64`;
}
