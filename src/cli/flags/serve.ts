import { InvalidArgumentError, Option } from "commander";
import { canonicalHost } from "../../http/host_names.ts";
import type { Commands } from "./command.ts";
import { issuer, lifetime, socketMode, workers } from "./serve_values.ts";
import { nonEmpty } from "./values.ts";

/** The flags of `serve`. */
export const serveCommands: Commands = {
  "keyring-helper": (program) => {
    program.command("keyring-helper", { hidden: true })
      .runs(async () => (await import("../commands/keyring_helper.ts")).keyringHelper);
  },
  serve: (program) => {
    program.command("serve")
      .description("serve verification, logins and a status page over HTTP, to this machine only")
      .addOption(
        new Option("--listen <address>", "where to listen").default("127.0.0.1:8700")
          .conflicts("unix"),
      )
      .repeatable("--unix <path>", "a Unix socket (of mode 0600) instead, with a thread of its own")
      .option("--unix-mode <mode>", "mode of the sockets: 0600, 0620, 0640 or 0660", socketMode)
      .option("--unix-group <group>", "the sockets' group; their mode is then 0660", nonEmpty)
      .option(
        "--workers <count>",
        "threads that answer requests (default: one per core or Unix socket)",
        workers,
      )
      .repeatable("--host <name>", "another host name of this server", host)
      .option("--trust-forwarded", "take the client's address from the proxy's X-Forwarded-For")
      .option("--issuer <url>", "iss of the tokens: also serve where its keys are (OpenID)", issuer)
      .option("--allow-remote", "listen where other machines can reach it; needs TLS")
      .option("--tls-cert <path>", "certificate chain (PEM)", nonEmpty)
      .option("--tls-key <path>", "its private key (PEM)", nonEmpty)
      .option(
        "--metrics-token-file <path>",
        "a token that reads /metrics and /status.json from other machines",
        nonEmpty,
      )
      .withDefault("--ttl <duration>", "how long the token of a login is valid", "1h", lifetime)
      .duration("--max-age <duration>", "age at which a rotation is due", "90d")
      .duration(
        "--max-staleness <duration>",
        "with the secret in etcd: how long to accept tokens without contact",
        "10s",
      )
      .option("--no-access-log", "do not log requests")
      .addHelpText(
        "after",
        `
  Examples:
    rekey serve                              then see http://127.0.0.1:8700/
    rekey serve --unix /run/rekey/rekey.sock --unix-group www-data
    rekey serve --listen 0.0.0.0:8700 --allow-remote \\
      --tls-cert cert.pem --tls-key key.pem`,
      )
      .runs(async () => (await import("../commands/serve.ts")).runServer);
  },
};

// Name or address of a server.
function host(text: string): string {
  const host = canonicalHost(text);
  if (host !== undefined) return host;
  throw new InvalidArgumentError("Write app.example.com or an address, without http:// or *.");
}
