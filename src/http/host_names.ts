import { isIP, isIPv4, isIPv6 } from "node:net";

// Hosts with an optional port. Names with an underscore are in use.
const BRACKETED = /^\[([0-9a-f:.]+)(?:%[\w.%~-]*)?\](?::\d{0,5})?$/i;
const NAMED = /^([\w.-]+)(?::\d{0,5})?$/;

/**
 * The host of an authority (RFC 3986 §3.2.2) in canonical form: lower case, without port, final dot, brackets and zone; an
 * IPv4-mapped IPv6 address as the IPv4 address.
 *
 * @param authority from `Host`, a URL or a flag. An IPv6 address may lack its brackets.
 * @returns `undefined` if it is malformed.
 */
export function canonicalHost(authority: string): string | undefined {
  if (isIPv6(authority)) return canonicalIPv6(authority.replace(/%.*$/, ""));
  const bracketed = BRACKETED.exec(authority)?.[1];
  if (bracketed !== undefined) return canonicalIPv6(bracketed);
  const name = NAMED.exec(authority)?.[1]?.replace(/\.$/, "");
  if (!name || !URL.canParse(`http://${name}/`)) return undefined;
  const { hostname } = new URL(`http://${name}/`);
  // Only some programs read 127.1 or 0x7f000001 as an address.
  return isIPv4(hostname) && hostname !== name ? undefined : hostname;
}

/** Whether a canonical host is an IP address. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0;
}

/** An authority without the default port of its scheme. */
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

/** The names that a server answers to. */
export interface Names {
  /** Values of `--host`, in canonical form. */
  readonly hosts: readonly string[];
  /** Whether any `Host` is accepted: no browser connects to a Unix socket. */
  readonly anyHost: boolean;
  /** The hosts that it listens on, in canonical form. */
  readonly listens: readonly string[];
  /** All addresses of this machine; called when it listens on all of them. */
  machine(): readonly string[];
}

// Browsers resolve these to the loopback without DNS (RFC 6761 §6.3), or common hosts files have them. None of them can
// be registered.
const LOOPBACK_NAMES = [
  ...["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"],
  ...["localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6"],
];

const WILDCARDS = ["0.0.0.0", "::"];

/**
 * Whether a `Host` names this server. An address that it listens on is safe: no page of another site has it as its
 * host. Any name except those of the loopback must be given by `--host`, since an attacker's name may resolve to this
 * machine (DNS rebinding).
 *
 * @param host in canonical form.
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

// A name may resolve to all addresses: only the resolver knows.
function onEveryAddress({ listens }: Names): boolean {
  return listens.some((host) => WILDCARDS.includes(host) || !isAddress(host));
}

// Addresses change, and requests with a foreign address must stay cheap.
const CACHE_MS = 1_000;

/** Returns the addresses of this machine in canonical form, cached for a second. */
export function machineAddresses(): () => readonly string[] {
  let [readAt, known] = [-Infinity, [] as readonly string[]];
  return () => {
    if (performance.now() - readAt < CACHE_MS) return known;
    const all = Deno.networkInterfaces().map(({ address }) => canonicalHost(address));
    known = all.filter((address) => address !== undefined);
    readAt = performance.now();
    return known;
  };
}

/** The IP address in a text as proxies write it, with or without a port, in canonical form; else `undefined`. */
export function addressIn(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ??
    text;
  return isAddress(bare) ? canonicalHost(bare) : undefined;
}

/**
 * The key under which login attempts from an address are counted: an IPv4 address, or the /64 network of an IPv6 address,
 * since a client has all addresses of its network. `undefined` for anything else.
 *
 * @param text an address as proxies write it, with or without a port.
 */
export function countedAddress(text: string): string | undefined {
  const host = addressIn(text);
  if (host === undefined || isIPv4(host)) return host;
  const [head, tail] = host.split("::");
  const groups = (part: string | undefined) => part ? part.split(":") : [];
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array(8 - first.length - last.length).fill("0");
  return `${[...first, ...zeros, ...last].slice(0, 4).join(":")}::/64`;
}
