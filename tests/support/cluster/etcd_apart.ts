import { join } from "node:path";
import { Etcd, type EtcdPlace } from "./etcd.ts";
import { Network } from "./network.ts";
import { must } from "../../../scripts/program.ts";

/**
 * A real etcd in a network of its own, behind two links: one machine can be cut off while another one is not.
 * It wants TLS with a client certificate, and a user with a password.
 */
export class EtcdApart implements AsyncDisposable {
  static readonly password = "correct horse battery staple";

  private constructor(
    readonly folder: string,
    readonly network: Network,
    readonly etcd: Etcd,
  ) {}

  /** Starts so many members. @throws without the rights to make a namespace. */
  static async start(count: number, smallDisk?: number): Promise<EtcdApart> {
    const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
    const network = await Network.start();
    await makeCertificates(folder, [network.address(0), network.address(1)]);
    const place = placeOf(folder, network);
    const etcd = await Etcd.start(count, [], {
      place,
      ...smallDisk === undefined ? {} : { smallDisk },
    });
    await makeUsers(etcd, EtcdApart.password, "/apart/");
    return new EtcdApart(folder, network, etcd);
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** What a machine behind a link is told; its user is not allowed anything outside of `/apart/`. */
  environment(link: 0 | 1): Record<string, string> {
    const urls = this.etcd.members.map(({ port }) =>
      `https://${this.network.address(link)}:${port}`
    );
    return {
      REKEY_STORE: "etcd",
      REKEY_ETCD_ENDPOINTS: urls.join(),
      REKEY_ETCD_PREFIX: "/apart/",
      REKEY_ETCD_CA: this.file("ca.pem"),
      REKEY_ETCD_CERT: this.file("rekey.pem"),
      REKEY_ETCD_KEY: this.file("rekey.key"),
      REKEY_ETCD_USER: "rekey",
      REKEY_ETCD_PASSWORD_FILE: this.file("password"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.etcd[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function placeOf(folder: string, network: Network): EtcdPlace {
  const file = (name: string) => join(folder, name);
  return {
    launch: network.launch,
    url: (port) => `https://${network.address(0)}:${port}`,
    listen: (port) => `https://0.0.0.0:${port}`,
    flags: ["--cert-file", file("etcd.pem"), "--key-file", file("etcd.key"), "--client-cert-auth"]
      .concat(["--trusted-ca-file", file("ca.pem")])
      // A login takes a tenth of a second of a processor otherwise, and a member 1.5 seconds to answer it.
      .concat(["--bcrypt-cost", "4"]),
    ctl: ["--cacert", file("ca.pem"), "--cert", file("rekey.pem"), "--key", file("rekey.key")],
  };
}

/** By the lines of docs/fleet.md, for other addresses. */
async function makeCertificates(folder: string, addresses: string[]): Promise<void> {
  const page = new URL("../../../docs/fleet.md", import.meta.url);
  const [, lines] = /^```sh\n([\s\S]*?)^```$/m.exec(Deno.readTextFileSync(page))!;
  const names = addresses.map((address) => `IP:${address}`).join();
  const ours = lines!.replace(/^names=.*$/m, `names="subjectAltName=${names}"`);
  const named = ours.match(/^openssl.*rekey\.pem[^]*?[^\\]$/m)![0].replaceAll("rekey.", "named.")
    .replace("/O=rekey", "/CN=root");
  const args = ["-c", `set -e; ${ours}\n${named}`];
  await must("sh", args, { cwd: folder });
  Deno.writeTextFileSync(join(folder, "password"), `${EtcdApart.password}\n`, { mode: 0o600 });
}

/** Makes etcd's users root and rekey, of whom the second one may use a prefix, and turns authentication on. */
export async function makeUsers(etcd: Etcd, password: string, prefix: string): Promise<void> {
  await etcd.ctl("user", "add", "root:root");
  await etcd.ctl("user", "add", `rekey:${password}`);
  await etcd.ctl("role", "add", "rekey");
  await etcd.ctl("role", "grant-permission", "rekey", "readwrite", "--prefix", prefix);
  await etcd.ctl("user", "grant-role", "rekey", "rekey");
  await etcd.ctl("user", "grant-role", "root", "root");
  await etcd.ctl("auth", "enable");
  etcd.user = "root:root";
}
