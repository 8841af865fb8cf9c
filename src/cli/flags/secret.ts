import { Argument } from "commander";
import type { Commands } from "./command.ts";
import { CHOICES, nonEmpty } from "./values.ts";
import { addPolicyOptions } from "./policy.ts";

/** Commands that make, change, move and delete the secret. */
export const secretCommands: Commands = {
  init: (program) => {
    const init = program.command("init")
      .description(
        "make the secret, or adopt an existing one; safe to repeat",
      )
      .choice("--alg <name>", "algorithm of the app's tokens (default: HS512)", CHOICES.alg)
      .choice(
        "--key-form <form>",
        "HMAC key: the text of the secret (default), or the bytes it decodes to",
        CHOICES.keyForm,
      )
      .shape({ bytes: "64", encoding: "base64", bits: "2048" })
      .runs(async () => (await import("../commands/secret.ts")).init);
    addPolicyOptions(init);
  },
  import: (program) => {
    const importing = program.command("import")
      .description(
        "import an application's secret or private key; its tokens stay valid (default: stdin)",
      )
      .option("--from-env <name>", "environment variable that holds it", nonEmpty)
      .option("--file <path>", "file that holds it", nonEmpty)
      .option(
        "--name <name>",
        "variable of a .env file, key of a JSON file, or kid in a JWK Set",
        nonEmpty,
      )
      .choice(
        "--encoding <name>",
        "HMAC: how the application decodes it (default: text)",
        CHOICES.encoding,
      )
      .option(
        "--check-token <token>",
        "a token of the application, @FILE or -; it must verify, and shows the encoding",
        nonEmpty,
      )
      .option(
        "--literal",
        "take the input as the secret even if it looks like JSON, a token or quoted text",
      )
      .choice(
        "--alg <name>",
        "algorithm of its tokens (default: HS512; of a private key as it says, or ES256, RS256, …)",
        CHOICES.alg,
      )
      .option(
        "--kid <kid>",
        "kid that the tokens of a private key have (default: of its JWK, or --check-token's)",
        nonEmpty,
      )
      .option(
        "--passphrase-file <path>",
        "file of the passphrase of an encrypted private key (default: ask)",
        nonEmpty,
      )
      .option("--allow-weak", "import it even if it is short or easy to guess")
      .option("--then-rotate", "rotate it at once; with --grace its tokens stay valid for a while")
      .choice(
        "--then-alg <name>",
        "with --then-rotate: algorithm of the secret after it (default: as before)",
        CHOICES.alg,
      )
      .duration("--grace <duration>", "with --then-rotate: how long its tokens still verify", "0s")
      .reason()
      .addHelpText(
        "after",
        `
  Examples:
    rekey import --from-env JWT_SECRET --alg HS256 --then-rotate --grace 24h
    rekey import --file .env --name JWT_SECRET --check-token @token.txt
    rekey import --file private.pem --check-token @token.txt
    rekey import --file jwks.json --name KID`,
      )
      .runs(async () => (await import("../commands/import.ts")).importSecret);
    addPolicyOptions(importing);
  },
  backup: (program) => {
    program.command("backup")
      .description(
        "write a consistent copy of the database to a new file; servers may keep running",
      )
      .argument("<path>", "the new file; - is stdout")
      .option("--with-secret", "add the secret, sealed for a passphrase or for age recipients")
      .repeatable("--recipient <key>", "age recipient, age1…")
      .repeatable("--recipients-file <path>", "file of age recipients, one per line")
      .option("--passphrase-file <path>", "file of the passphrase (default: ask)", nonEmpty)
      .addHelpText(
        "after",
        `
  Examples:
    rekey backup /mnt/backup/rekey.db     the copy alone
    rekey backup rekey.db --with-secret   asks for a passphrase
    rekey backup rekey.db --with-secret --recipients-file admins.txt`,
      )
      .runs(async () => (await import("../commands/backup.ts")).backup);
  },
  restore: (program) => {
    program.command("restore")
      .description("restore a backup: verified first, then applied completely or not at all")
      .argument("<path>", "the backup; - is stdin")
      .option("--force", "replace an existing secret")
      .repeatable("--identity-file <path>", "age identities that open its secret")
      .option("--passphrase-file <path>", "file of the passphrase that opens its secret", nonEmpty)
      .option("--new-secret", "continue without a lost secret or KEK: all sessions end")
      .runs(async () => (await import("../commands/backup.ts")).restore);
  },
  store: (program) => {
    const store = program.command("store").description("where the secret is stored");
    store.command("show")
      .description("show where it is stored and whether the keyring answers")
      .runs(async () => (await import("../commands/store.ts")).storeShow);
    store.command("move")
      .description(
        "move it between keyring, database and etcd (for fleets); its tokens stay valid",
      )
      .addArgument(new Argument("<where>", "keyring, database or etcd").choices(CHOICES.location))
      .runs(async () => (await import("../commands/store.ts")).storeMove);
  },
  kek: (program) => {
    const kek = program.command("kek").description("the key-encryption key of the database");
    kek.command("rotate")
      .description("reseal everything under a new KEK; the old one no longer opens anything")
      .option(
        "--to-kek-file <path>",
        "file of the new KEK (default: rekey generates a key file)",
        nonEmpty,
      )
      .runs(async () => (await import("../commands/store.ts")).kekRotate);
  },
  destroy: (program) => {
    program.command("destroy")
      .description(
        "delete the secret, its history and its keys from this machine; cannot be undone",
      )
      .option("--force", "do not ask")
      .runs(async () => (await import("../commands/secret.ts")).destroy);
  },
};
