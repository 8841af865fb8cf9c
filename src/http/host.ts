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
