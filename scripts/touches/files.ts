import { type CommandName, DELIVERING, WORKING } from "./commands.ts";
import { at, both, type Row, SQLITE } from "./row.ts";

// The key-encryption key: for what is sealed, and for the audit log.
const WITH_KEK: CommandName[] = [
  ...[
    "status",
    "issue",
    "verify",
    "jwks",
    "rotate",
    "revoke",
    "user add",
    "user passwd",
    "user claims",
    "user remove",
  ],
  ...[
    "session revoke",
    "audit verify",
    "audit key",
    "audit checkpoint",
    "audit prune",
    "backup",
    "restore",
    "kek rotate",
    "serve",
    "doctor",
  ],
  ...["exec", "exec --on-rotate", "exec --keys-file", "policy set", ...DELIVERING],
] as CommandName[];
const LOCKING: CommandName[] = [
  ...["init", "import", "rotate", "revoke", "backup", "restore", "store move", "kek rotate"],
  ...["destroy", "doctor", "REKEY_KEK_COMMAND", "policy set"],
] as CommandName[];
const MAKING: CommandName[] = ["init", "import", "REKEY_KEK_COMMAND"];

const DATA = "~/\\.local/share/agiworkforce";
const DB = `${DATA}/agiworkforce\\.db`;

/** Files and folders of rekey's own, but for the keyring's addon. */
export const FILES: readonly Row[] = [
  {
    what: "the data folder",
    pattern: at(DATA),
    how: "writes",
    ...both(["init", "rotate"]),
    why: "created when missing; restored files and copies are renamed into it",
  },
  {
    what: "the data folder",
    pattern: at(DATA),
    how: "reads",
    ...both([
      ...WITH_KEK.filter((name) => name !== "audit verify" && name !== "audit key"),
      ...["import", "destroy", "store move", "REKEY_KEK_COMMAND"],
    ] as CommandName[]),
    why: "synchronised, so that the name of a new write-ahead log is on the disk",
  },
  {
    what: "the names in `~/.local/share`, in the data folder and in `/var/lib/rekey`",
    pattern: at(`~/\\.local/share|${DATA}|/var/lib/rekey`),
    how: "reads",
    ...both(["apps"]),
    why: "finds the apps; what has a rekey lock beside it is opened",
  },
  {
    what: "the folders above rekey's own",
    pattern: at("~/\\.local(/share)?|~/\\.config|~/\\.cache"),
    how: "writes",
    ...both(["init"]),
    why: "created when missing",
    perhaps: true,
  },
  {
    what: "the database, its `-wal` and `-shm`",
    pattern: at(`${DB}(-wal|-shm)?`),
    how: "writes",
    ...both([...WORKING, "schedule"]),
    why:
      "versions, sealed values, sessions, users and the audit log; `schedule`: what rekey remembers",
  },
  {
    what: "the database's `-journal`",
    pattern: at(`${DB}-journal`),
    how: "writes",
    ...both(MAKING),
    why: "used by SQLite until a new file is in WAL mode",
  },
  {
    what: "`<database>.lock`, `<database>.turn.lock`",
    pattern: at(`${DB}(\\.turn)?\\.lock`),
    how: "writes",
    ...both(LOCKING),
    why: "takes turns with other rotations and recoveries",
  },
  {
    what: "`<database>.sink-….lock`, by every command with `--audit-to`",
    pattern: at(`${DB}\\.sink-[0-9a-f]{16}\\.lock`),
    how: "writes",
    ...both(["rotate"]),
    why: "one process at a time sends to a sink",
  },
  {
    what: "`<database>.deliveries.lock`",
    pattern: at(`${DB}\\.deliveries\\.lock`),
    how: "writes",
    ...both([...DELIVERING]),
    why: "one process at a time delivers; with deliveries also `rotate`, `revoke` and `serve`",
  },
  {
    what: "`<database>.v<N>.backup`, and the unfinished `.….<UUID>`",
    pattern: at(
      `${DB}\\.v\\d+\\.backup|${DATA}/\\.agiworkforce\\.db\\.v\\d+\\.backup\\.UUID${SQLITE}`,
    ),
    how: "writes",
    ...both(["rotate", "destroy"]),
    why: "the automatic copy before a rotation; `destroy` deletes them",
  },
  {
    what: "`.rekey-peek-<UUID>/`, `.rekey-restore-<UUID>/` in the data folder",
    pattern: at(`${DATA}/\\.rekey-(peek|restore)-UUID(/agiworkforce\\.db${SQLITE})?`),
    how: "writes",
    ...both(["restore"]),
    why: "the backup is checked, and finished, as a copy",
  },
  {
    what: "the key file `~/.config/rekey/<app>-<id>.kek`",
    pattern: at("~/\\.config/rekey/agiworkforce-ID\\.kek"),
    how: "reads",
    ...both([...WITH_KEK, "store move"]),
    why: "opens what is sealed in the database, including the key of the audit log's hashes",
  },
  {
    what: "the names in `~/.config/rekey`",
    pattern: at("~/\\.config/rekey"),
    how: "reads",
    ...both(["doctor", "destroy", "serve", "REKEY_KEK_COMMAND"]),
    why: "finds a key file of the app, also one that a lost database has left (`init` warns, and " +
      "`destroy` names it); its folder must be private; `serve` for its status page",
  },
  {
    what: "the key file, and its folder",
    pattern: at("~/\\.config/rekey(/agiworkforce-ID\\.kek)?"),
    how: "writes",
    ...both(["init", "import", "kek rotate", "destroy"]),
    why: "created when the operator supplies no KEK; replaced; deleted",
  },
];
