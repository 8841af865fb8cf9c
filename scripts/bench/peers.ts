import { join } from "node:path";
import { must } from "../program.ts";

const HERE = import.meta.dirname!;
const PACKAGES = join(HERE, "../../dist/bench-peers");

/** Path of one of the peers' programs. */
export function peer(file: string): string {
  return join(HERE, "servers", file);
}

/** Installs the npm packages that rekey is measured beside; answers the environment that finds them. */
export async function installPeers(): Promise<Record<string, string>> {
  Deno.mkdirSync(PACKAGES, { recursive: true });
  Deno.copyFileSync(join(HERE, "peers/package.json"), join(PACKAGES, "package.json"));
  const args = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
  await must("npm", args, { cwd: PACKAGES });
  return { NODE_PATH: join(PACKAGES, "node_modules") };
}

/** What is installed of them, for the report. */
export function peerVersions(): string {
  const { dependencies } = JSON.parse(Deno.readTextFileSync(join(HERE, "peers/package.json")));
  return Object.entries(dependencies).map((pair) => pair.join(" ")).join(", ");
}
