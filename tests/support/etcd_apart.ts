import { join } from "node:path";

const RANGE = "10.231";

/**
 * A real etcd in a network namespace of its own, behind two links: one machine can be cut off while another one is not.
 * It wants TLS with a client certificate, and a user with a password.
 */
export class EtcdApart implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
  readonly #space = `rekey-${Deno.pid}`;
  #process: Deno.ChildProcess | undefined;

  static readonly password = "correct horse battery staple";

  /** Starts it. @throws without the rights to make a namespace. */
  static async start(): Promise<EtcdApart> {
    const etcd = new EtcdApart();
    await etcd.#connect();
    await etcd.#makeCertificates();
    etcd.#process = new Deno.Command("ip", {
      args: ["netns", "exec", etcd.#space, "etcd", "--data-dir", join(etcd.folder, "data")].concat(
        ["--listen-client-urls", "https://0.0.0.0:2379", "--advertise-client-urls", etcd.url(0)],
        ["--listen-peer-urls", "http://127.0.0.1:2380", "--log-level", "error"],
        ["--cert-file", etcd.file("etcd.pem"), "--key-file", etcd.file("etcd.key")],
        ["--trusted-ca-file", etcd.file("ca.pem"), "--client-cert-auth"],
      ),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await etcd.#makeUser();
    return etcd;
  }

  /** Its address by one of the two links. */
  url(link: 0 | 1): string {
    return `https://${RANGE}.${link}.2:2379`;
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** What a machine behind a link is told; its user is not allowed anything outside of `/apart/`. */
  environment(link: 0 | 1): Record<string, string> {
    return {
      REKEY_STORE: "etcd",
      REKEY_ETCD_ENDPOINTS: this.url(link),
      REKEY_ETCD_PREFIX: "/apart/",
      REKEY_ETCD_CA: this.file("ca.pem"),
      REKEY_ETCD_CERT: this.file("rekey.pem"),
      REKEY_ETCD_KEY: this.file("rekey.key"),
      REKEY_ETCD_USER: "rekey",
      REKEY_ETCD_PASSWORD_FILE: this.file("password"),
    };
  }

  /** Takes a link down, or up again. */
  async link(link: 0 | 1, state: "up" | "down"): Promise<void> {
    await run("ip", "link", "set", this.#near(link), state);
  }

  async #connect(): Promise<void> {
    await run("ip", "netns", "add", this.#space);
    for (const link of [0, 1] as const) {
      const [near, far] = [this.#near(link), `rk${Deno.pid % 10_000}f${link}`];
      await run("ip", "link", "add", near, "type", "veth", "peer", "name", far);
      await run("ip", "link", "set", far, "netns", this.#space);
      await run("ip", "addr", "add", `${RANGE}.${link}.1/24`, "dev", near);
      await run("ip", "-n", this.#space, "addr", "add", `${RANGE}.${link}.2/24`, "dev", far);
      await run("ip", "-n", this.#space, "link", "set", far, "up");
      await this.link(link, "up");
    }
    await run("ip", "-n", this.#space, "link", "set", "lo", "up");
  }

  #near(link: 0 | 1): string {
    return `rk${Deno.pid % 10_000}n${link}`;
  }

  /** By the lines of docs/fleet.md, for other addresses. */
  async #makeCertificates(): Promise<void> {
    const page = new URL("../../docs/fleet.md", import.meta.url);
    const [, lines] = /^```sh\n([\s\S]*?)^```$/m.exec(Deno.readTextFileSync(page))!;
    const ours = lines!.replace(
      /^names=.*$/m,
      `names="subjectAltName=IP:${RANGE}.0.2,IP:${RANGE}.1.2"`,
    );
    const named = ours.match(/^openssl.*rekey\.pem[^]*?[^\\]$/m)![0].replaceAll("rekey.", "named.")
      .replace("/O=rekey", "/CN=root");
    await run("sh", "-c", `set -e; cd ${this.folder}; ${ours}\n${named}`);
    Deno.writeTextFileSync(this.file("password"), `${EtcdApart.password}\n`, { mode: 0o600 });
  }

  async #makeUser(): Promise<void> {
    for (const end = Date.now() + 20_000;;) {
      try {
        await this.ctl("put", "health", "yes");
        break;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.ctl("user", "add", "root:root");
    await this.ctl("user", "add", `rekey:${EtcdApart.password}`);
    await this.ctl("role", "add", "rekey");
    await this.ctl("role", "grant-permission", "rekey", "readwrite", "--prefix", "/apart/");
    await this.ctl("user", "grant-role", "rekey", "rekey");
    await this.ctl("user", "grant-role", "root", "root");
    await this.ctl("auth", "enable");
  }

  /** Runs `etcdctl` by the first link. @throws when it fails. */
  async ctl(...args: string[]): Promise<string> {
    const files = ["--cacert", this.file("ca.pem"), "--cert", this.file("rekey.pem")];
    return await run(
      "etcdctl",
      ...["--endpoints", this.url(0), "--command-timeout=3s"],
      ...[...files, "--key", this.file("rekey.key")],
      ...args,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    await run("ip", "netns", "del", this.#space);
    for (const link of [0, 1] as const) {
      // They go with the namespace, in a moment.
      await run("ip", "link", "del", this.#near(link)).catch(() => {});
    }
    Deno.removeSync(this.folder, { recursive: true });
  }
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env: { ETCDCTL_API: "3", PATH: `${Deno.env.get("PATH")}:/usr/sbin` },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text(stderr)}`);
  return text(stdout);
}
