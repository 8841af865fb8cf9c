import { isIP } from "node:net";

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
