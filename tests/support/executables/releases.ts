import { createHash } from "node:crypto";
import { join } from "node:path";

/** What an installed file is to say of itself. */
export const VERSION = "1.2.3";

/** The files of a release, small ones: `rekey-1.2.3-linux-x64` and the like, each a program that prints the version. */
export function smallRelease(targets: readonly string[], version = VERSION): Map<string, string> {
  const files = new Map(
    targets.map((target) =>
      [`rekey-${version}-${target}`, `#!/bin/sh\n# ${target}\necho ${version}\n`] as const
    ),
  );
  return new Map([...files, ["SHA256SUMS", sums(files)]]);
}

/** A list as `sha256sum` writes it. */
export function sums(files: ReadonlyMap<string, string>): string {
  return [...files].map(([name, content]) =>
    `${createHash("sha256").update(content).digest("hex")}  ${name}\n`
  ).join("");
}

/** Writes a release into a folder. */
export function write(folder: string, files: ReadonlyMap<string, string>): void {
  Deno.mkdirSync(folder, { recursive: true });
  for (const [name, content] of files) Deno.writeTextFileSync(join(folder, name), content);
}

/** Serves a release over HTTP. Of a file in `cut` the end is missing: its length is told, and not all of it sent. */
export function served(files: ReadonlyMap<string, string>, cut: readonly string[] = []) {
  const handler = ({ url }: Request) => {
    const name = new URL(url).pathname.slice(1);
    const content = files.get(name);
    if (content === undefined) return new Response("none", { status: 404 });
    if (content.startsWith("->")) return Response.redirect(content.slice(2));
    return new Response(content);
  };
  if (cut.length === 0) return Deno.serve({ port: 0, onListen: () => {} }, handler);
  return cutting(files, cut);
}

// A proper server sends what it has told.
function cutting(files: ReadonlyMap<string, string>, cut: readonly string[]) {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const finished = (async () => {
    for await (const connection of listener) {
      const asked = new Uint8Array(4096);
      const read = await connection.read(asked) ?? 0;
      const name = new TextDecoder().decode(asked.subarray(0, read)).split(" ")[1]!.slice(1);
      const content = files.get(name) ?? "";
      const sent = cut.includes(name) ? content.slice(0, -4) : content;
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\nConnection: close\r\n`;
      await connection.write(new TextEncoder().encode(`${head}\r\n${sent}`));
      connection.close();
    }
  })();
  return {
    addr: listener.addr as Deno.NetAddr,
    shutdown: async () => {
      listener.close();
      await finished.catch(() => {});
    },
  };
}
