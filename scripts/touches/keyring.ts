import type { CommandName } from "./commands.ts";
import { at, type Row } from "./row.ts";

const NONE: CommandName[] = [];
const DELIVERING_KEYS: CommandName[] = ["deliver add", "deliver sync", "deliver check"];

// With a secret in the database the keyring is asked where a new version is to live, if there is a session bus:
// there is none in that test.
const ASKING = {
  database: NONE,
  keyring: [
    ...["init", "import", "status", "store show", "issue", "verify", "jwks"],
    ...["rotate", "revoke"],
    ...[
      "doctor",
      "audit verify",
      "audit prune",
      "restore",
      "store move",
      "serve",
      "exec",
      "exec --on-rotate",
      "exec --keys-file",
    ],
    ...DELIVERING_KEYS,
    ...["destroy", "REKEY_KEK_COMMAND"],
  ],
} as Record<"database" | "keyring", CommandName[]>;

// What is there and unlocked is read over the session bus itself.
const READING: CommandName[] = [
  ...["status", "store show", "issue", "verify", "jwks", "doctor"],
  ...["audit verify", "audit prune", "exec"],
  "exec --on-rotate",
  "exec --keys-file",
  ...DELIVERING_KEYS,
] as CommandName[];
const LOADING = {
  database: NONE,
  keyring: ASKING.keyring.filter((name) => !READING.includes(name)),
};

/** The keyring: the session bus, and the addon that writes over it. */
export const KEYRING: readonly Row[] = [
  {
    what: "the addon `~/.cache/rekey/keyring-<SHA-256>.node`, and its folder",
    pattern: at("~/\\.cache/rekey(/keyring-SHA256\\.node)?"),
    how: "reads",
    ...LOADING,
    why:
      "compared with its SHA-256 and loaded, to write to the keyring and to ask for what cannot simply be read; " +
      "when it is locked or absent, by every command that connects to the session bus",
  },
  {
    what: "the addon, its folder, and the unfinished `.keyring-<UUID>`",
    pattern: at("~/\\.cache/rekey(/(keyring-SHA256\\.node|\\.keyring-UUID))?"),
    how: "writes",
    database: NONE,
    keyring: ["init"],
    why: "unpacked by the first command that loads it",
  },
  {
    what: "the session bus: `DBUS_SESSION_BUS_ADDRESS`, or else `$XDG_RUNTIME_DIR/bus`",
    pattern: /^BUS$/,
    how: "connects to",
    ...ASKING,
    why: "the keyring; the socket must be this user's",
  },
];
