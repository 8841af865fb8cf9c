import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";
import { Serving } from "../support/http/serving.ts";

/** Passes connections on, and keeps every byte of both directions. */
class Tap implements Disposable {
  readonly seen: Uint8Array[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  constructor(private readonly port: number) {
    this.#serve();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #serve(): Promise<void> {
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      this.#pass(near, far);
      this.#pass(far, near);
    }
  }

  async #pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let n; (n = await from.read(buffer)) !== null;) {
        this.seen.push(buffer.slice(0, n));
        await to.write(buffer.slice(0, n));
      }
    } catch {
      // Either end is gone.
    } finally {
      for (const end of [from, to]) {
        try {
          end.close();
        } catch {
          // It is closed already.
        }
      }
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** A secret in every form in which it might be found. */
function forms(secret: string): Buffer[] {
  const raw = Buffer.from(secret, "base64");
  const forms = [Buffer.from(secret), raw, Buffer.from(raw.toString("base64url"))];
  forms.push(Buffer.from(raw.toString("hex")));
  // The gateway speaks base64: at any of three places the same bytes look different.
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]).toString("base64");
    forms.push(Buffer.from(text.slice(4, -4)));
  }
  return forms;
}

function* bytesOf(folder: string): Generator<[string, Buffer]> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* bytesOf(path);
    else if (isFile) yield [path, Buffer.from(Deno.readFileSync(path))];
  }
}

async function secretOf(box: Box): Promise<string> {
  const { stdout } = await box.run(["exec", "--", "sh", "-c", 'printf %s "$JWT_SECRET"']);
  assert.equal(stdout.length, 88);
  return stdout;
}

Deno.test("etcd's files and what goes to it never have a secret in plain", async () => {
  await using etcd = await Etcd.start(1);
  using tap = new Tap(Number(new URL(etcd.endpoints).port));
  using fleet = new Fleet(etcd, 2, "secrecy");
  for (const box of fleet.machines) box.env.REKEY_ETCD_ENDPOINTS = tap.url;
  const [one, two] = fleet.machines as [Box, Box];
  const secrets: string[] = [];
  await must(one, "init");
  secrets.push(await secretOf(one));
  await must(two, "init");
  {
    await using server = await Serving.start(two, ["--workers", "1"]);
    await must(one, "rotate", "--force", "--grace", "1h", "--wait", "30s");
    secrets.push(await secretOf(two));
    await must(two, "rotate", "--prepare", "--wait", "30s");
    await must(one, "rotate", "--activate");
    secrets.push(await secretOf(one));
    assert.equal(await server.auth(await one.token()), 204);
  }
  await must(one, "store", "move", "database");
  await etcd.ctl("snapshot", "save", join(etcd.folder, "backup"));
  assert.equal(new Set(secrets).size, 3);
  const traffic = Buffer.concat(tap.seen);
  // What is looked for is found where it is: the search itself works.
  const probe = Buffer.from("/secrecy/agiworkforce/state").toString("base64").slice(0, -4);
  assert.ok(traffic.includes(probe), "the traffic was seen");
  const files = [...bytesOf(etcd.folder)];
  assert.ok(files.some(([, bytes]) => bytes.includes("/secrecy/agiworkforce/values/")));
  for (const form of secrets.flatMap(forms)) {
    assert.ok(!traffic.includes(form), "a secret went to etcd in plain");
    for (const [path, bytes] of files) assert.ok(!bytes.includes(form), path);
  }
});
