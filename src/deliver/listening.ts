import { within } from "../core/async.ts";
import type { ProbeWay } from "./probe.ts";
import { fill } from "./templates.ts";

/** How long a connection may take, in milliseconds. */
const CONNECT_MS = 1_000;

/** Whether nothing listens where a program is to be asked, as when it has ended. It is not asked for that. */
export async function isDown(
  way: ProbeWay,
  data: Readonly<Record<string, string>>,
): Promise<boolean> {
  const address = "http" in way ? await fill(way.http.url, { ...data, token: "TOKEN" }) : "";
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, port } = new URL(address);
  const place = {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || (protocol === "https:" ? 443 : 80)),
  };
  const refused = Deno.connect(place).then((connection) => {
    connection.close();
    return false;
  }, (error) => error instanceof Deno.errors.ConnectionRefused);
  return await within(CONNECT_MS, refused) ?? false;
}
