/**
 * What each command of the binary opens, connects to and starts, with the reason of each. It is the table of
 * `docs/security.md`, and `tests/keyring/touches_test.ts` holds it against what strace sees.
 */

/** Everything that can be run; what differs in where it goes has a line of its own. */
export const COMMANDS = [
  ...[
    "--help",
    "--version",
    "version",
    "init",
    "import",
    "status",
    "store show",
    "doctor",
    "issue",
    "verify",
    "rotate",
  ],
  ...["revoke", "user add", "user list", "user passwd", "user remove", "session list"],
  ...["session revoke", "audit list", "audit verify", "audit export", "audit merge", "stats"],
  ...["backup", "restore"],
  ...["store move", "kek rotate", "serve", "serve --unix", "exec", "exec --on-rotate", "schedule"],
  ...["completions", "complete", "destroy", "REKEY_KEK_COMMAND"],
] as const;
export type CommandName = typeof COMMANDS[number];

/** A row of the table. */
export interface Row {
  /** For people. */
  readonly what: string;
  /** Of a path below `~`, the home folder; of an address; of a program. */
  readonly pattern: RegExp;
  /** Whoever writes a file may read it too. */
  readonly how: "reads" | "writes" | "connects to" | "listens on" | "starts";
  /** Commands, by where the secret lives. */
  readonly database: readonly CommandName[];
  readonly keyring: readonly CommandName[];
  readonly why: string;
  /** Set when it depends on the machine whether it is seen at all. */
  readonly perhaps?: true;
}

const EVERY = COMMANDS;
const WORKING = COMMANDS.filter((name) => !/version|help|schedule|completions|merge/.test(name));
const NONE: CommandName[] = [];
const both = (commands: readonly CommandName[]) => ({ database: commands, keyring: commands });

// The key-encryption key: for what is sealed, and for the audit log.
const WITH_KEK: CommandName[] = [
  ...["status", "issue", "verify", "rotate", "revoke", "user add", "user passwd", "user remove"],
  ...["session revoke", "audit verify", "backup", "restore", "kek rotate", "serve", "doctor"],
  ...["exec", "exec --on-rotate"],
] as CommandName[];
const LOCKING: CommandName[] = [
  ...["init", "import", "rotate", "revoke", "backup", "restore", "store move", "kek rotate"],
  ...["destroy", "doctor", "REKEY_KEK_COMMAND"],
] as CommandName[];
// They write no audit row, so they need not know who acts.
const NAMELESS: readonly CommandName[] = [
  ...["store show", "user list", "session list", "audit list", "audit verify", "audit export"],
  ...["stats", "destroy", "doctor", "complete"],
] as CommandName[];
const ACTING = WORKING.filter((name) => !NAMELESS.includes(name));
const MAKING: CommandName[] = ["init", "import", "REKEY_KEK_COMMAND"];
// With a secret in the database the keyring is asked where a new version is to live, if there is a session bus:
// there is none in that test.
const ASKING = {
  database: NONE,
  keyring: [
    ...["init", "import", "status", "store show", "issue", "verify", "rotate", "revoke"],
    ...["doctor", "audit verify", "restore", "store move", "serve", "exec", "exec --on-rotate"],
    ...["destroy", "REKEY_KEK_COMMAND"],
  ],
} as Record<"database" | "keyring", CommandName[]>;

// What is there and unlocked is read over the session bus itself.
const READING: CommandName[] = [
  ...["status", "store show", "issue", "verify", "doctor", "audit verify", "restore", "exec"],
  "exec --on-rotate",
] as CommandName[];
const LOADING = {
  database: NONE,
  keyring: ASKING.keyring.filter((name) => !READING.includes(name)),
};

const DATA = "~/\\.local/share/agiworkforce";
const DB = `${DATA}/agiworkforce\\.db`;
const SQLITE = "(-wal|-shm|-journal)?";
const at = (pattern: string) => new RegExp(`^(${pattern})$`);

/** The table. */
export const ROWS: readonly Row[] = [
  {
    what: "the executable",
    pattern: /^REKEY$/,
    how: "reads",
    ...both(EVERY),
    why: "the program and the keyring's addon are at its end",
  },
  {
    what: "the executable",
    pattern: /^REKEY$/,
    how: "starts",
    ...both(EVERY),
    why: "the command itself; `serve` starts it once more to talk to the keyring",
  },
  {
    what: "`/etc/ld.so.cache`; libc, libm, libdl, librt, libpthread, libgcc_s",
    pattern:
      /^\/etc\/ld\.so\.cache$|^(\/usr)?\/lib(64)?\/([\w-]+\/)?lib(c|m|dl|rt|pthread|gcc_s)\.so\.\d$/,
    how: "reads",
    ...both(EVERY),
    why: "the system's loader: the runtime is linked to these and to nothing else",
  },
  {
    what:
      "`/proc/self/{maps,cgroup}`, `/proc/meminfo`, `/sys/fs/cgroup/…`, `/sys/devices/system/cpu/…`",
    pattern:
      /^\/proc\/(self\/(maps|cgroup)|meminfo)$|^\/sys\/(fs\/cgroup|devices\/system\/cpu)(\/.*)?$/,
    how: "reads",
    ...both(EVERY),
    why: "the runtime asks how much memory and how many processors there are",
  },
  {
    what: "`/dev/urandom`",
    pattern: /^\/dev\/urandom$/,
    how: "reads",
    ...both(EVERY),
    why: "the seeds of the runtime's hash tables; secrets come from getrandom(2)",
  },
  {
    what: "`/etc/localtime`, `/usr/share/zoneinfo/…`",
    pattern: /^\/etc\/(localtime|timezone)$|^\/usr\/share\/zoneinfo(\/.*)?$/,
    how: "reads",
    ...both(EVERY),
    why: "the runtime's time zone",
  },
  {
    what: "`/etc/nsswitch.conf`, `/etc/passwd`, `libnss_….so`",
    pattern: /^\/etc\/(nsswitch\.conf|passwd)$|\/libnss_\w+\.so\.2$/,
    how: "reads",
    // There is nothing to move to where it is already.
    database: [...ACTING.filter((name) => name !== "store move"), "schedule"],
    keyring: [...ACTING, "schedule"],
    why: "the user's name, for the actor of audit rows; `schedule`: the user's own home folder",
  },
  {
    what: "`/var/run/nscd/socket`, `/run/systemd/userdb/…`",
    pattern: /^(\/var)?\/run\/(nscd\/socket|systemd\/userdb\/.*)$/,
    how: "connects to",
    ...both([...ACTING, "schedule"]),
    why: "the same, where the system has a service for it",
    perhaps: true,
  },
  {
    what: "the data folder",
    pattern: at(DATA),
    how: "writes",
    ...both(["init", "rotate"]),
    why: "made when it is not there; restored files and copies get their names",
  },
  {
    what: "the data folder",
    pattern: at(DATA),
    how: "reads",
    ...both([
      ...WITH_KEK.filter((name) => name !== "audit verify"),
      ...["import", "destroy", "store move", "REKEY_KEK_COMMAND"],
    ] as CommandName[]),
    why: "the name of a new write-ahead log is brought to the disk",
  },
  {
    what: "the folders above those of rekey's own",
    pattern: at("~/\\.local(/share)?|~/\\.config|~/\\.cache"),
    how: "writes",
    ...both(["init"]),
    why: "made when they are not there",
    perhaps: true,
  },
  {
    what: "the database, its `-wal` and `-shm`",
    pattern: at(`${DB}(-wal|-shm)?`),
    how: "writes",
    ...both(WORKING),
    why: "versions, sealed values, sessions, users and the audit log",
  },
  {
    what: "the database's `-journal`",
    pattern: at(`${DB}-journal`),
    how: "writes",
    ...both(MAKING),
    why: "SQLite's, until a new file is in WAL mode",
  },
  {
    what: "`<database>.lock`",
    pattern: at(`${DB}\\.lock`),
    how: "writes",
    ...both(LOCKING),
    why: "takes turns with other rotations and recoveries",
  },
  {
    what: "`<database>.v<N>.backup`, and the unfinished one `.….<UUID>`",
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
    why: "the backup is looked into, and finished, as a copy",
  },
  {
    what: "the key file `~/.config/rekey/<app>-<id>.kek`",
    pattern: at("~/\\.config/rekey/agiworkforce-ID\\.kek"),
    how: "reads",
    database: WITH_KEK,
    keyring: [...WITH_KEK, "store move"],
    why: "opens what is sealed in the database, the key of the audit log's hashes among it",
  },
  {
    what: "the key file, and its folder",
    pattern: at("~/\\.config/rekey(/agiworkforce-ID\\.kek)?"),
    how: "writes",
    ...both(["init", "import", "kek rotate", "destroy"]),
    why: "made when the operator supplies no KEK, exchanged, deleted",
  },
  {
    what: "the addon `~/.cache/rekey/keyring-<SHA-256>.node`, and its folder",
    pattern: at("~/\\.cache/rekey(/keyring-SHA256\\.node)?"),
    how: "reads",
    ...LOADING,
    why:
      "compared with its SHA-256 and loaded, to write to the keyring and to ask for what is not simply there; " +
      "when it is locked or away, by every command that connects to the session bus",
  },
  {
    what: "the addon, its folder, and the unfinished one `.keyring-<UUID>`",
    pattern: at("~/\\.cache/rekey(/(keyring-SHA256\\.node|\\.keyring-UUID))?"),
    how: "writes",
    database: NONE,
    keyring: ["init"],
    why: "unpacked by the first that loads it",
  },
  {
    what: "the session bus: `DBUS_SESSION_BUS_ADDRESS`, or else `$XDG_RUNTIME_DIR/bus`",
    pattern: /^BUS$/,
    how: "connects to",
    ...ASKING,
    why: "the keyring; the socket must be this user's",
  },
  {
    what:
      "files that the operator names: `--file`, a backup to restore, exports to merge, a KEK, `--tls-cert`, `--tls-key`, " +
      "`REKEY_ETCD_CA` and its like",
    pattern: at("~/named/(imported|exported|backup\\.db)"),
    how: "reads",
    ...both(["import", "restore", "audit merge"]),
    why: "they were asked for",
  },
  {
    what: "the backup that is named, the unfinished one beside it, and its folder",
    pattern: at(`~/named(/backup\\.db|/\\.backup\\.db\\.UUID${SQLITE})?`),
    how: "writes",
    ...both(["backup"]),
    why: "gets its name when it is finished and on the disk",
  },
  {
    what: "`/bin/sh`",
    pattern: /^\/bin\/sh$/,
    how: "starts",
    database: ["REKEY_KEK_COMMAND"],
    keyring: ["REKEY_KEK_COMMAND", "serve"],
    why:
      "runs the operator's command, with `rotate --before` and `--after` too; `serve` starts its helper for the " +
      "keyring by it",
  },
  {
    what: "the program that is named",
    pattern: /^\/usr\/bin\/true$/,
    how: "starts",
    ...both(["exec", "exec --on-rotate"]),
    why: "gets the secret",
  },
  {
    what: "the host of `--notify-url`, with `/etc/hosts` and `/etc/resolv.conf`",
    pattern: /^$/,
    how: "connects to",
    ...both(["rotate"]),
    why: "it is to be told; `tests/e2e/notices_test.ts`",
    perhaps: true,
  },
  {
    what: "`/usr/bin/systemctl`, with `--install`; the units are written before",
    pattern: /^\/usr\/bin\/systemctl$/,
    how: "starts",
    ...both(["schedule"]),
    why: "starts the timer",
    perhaps: true,
  },
  {
    what: "`/dev/tty`",
    pattern: /^\/dev\/tty$/,
    how: "reads",
    ...both(["exec --on-rotate"]),
    why: "whether the terminal has sent a signal to the program too",
    perhaps: true,
  },
  {
    what: "`/dev/null`",
    pattern: /^\/dev\/null$/,
    how: "writes",
    database: ["REKEY_KEK_COMMAND"],
    keyring: ["REKEY_KEK_COMMAND", "serve"],
    why: "what such a program is not to have of stdin and stderr",
    perhaps: true,
  },
  {
    what: "the address of `--listen`",
    pattern: /^127\.0\.0\.1:(PORT|0)$/,
    how: "listens on",
    ...both(["serve"]),
    why: "to serve",
  },
  {
    what: "the same address",
    pattern: /^127\.0\.0\.1:PORT$/,
    how: "connects to",
    ...both(["serve"]),
    why: "whether it still listens",
  },
  {
    what: "the socket of `--unix`",
    pattern: at("~/named/socket"),
    how: "listens on",
    ...both(["serve --unix"]),
    why: "to serve",
  },
  {
    what: "the same socket",
    pattern: at("~/named/socket"),
    how: "writes",
    ...both(["serve --unix"]),
    why: "gets mode 0600, and is deleted in the end",
  },
  {
    what: "`$NOTIFY_SOCKET`",
    pattern: at("~/named/notify"),
    how: "connects to",
    ...both(["serve"]),
    why: "tells systemd that it is ready",
  },
];

/** The rows as `docs/security.md` has them. */
export function touchRows(): string[] {
  return ROWS.map(({ what, how, database, keyring, why }) => {
    const [one, other] = [spelled(database), spelled(keyring)];
    const commands = one === other ? one : `database: ${one}; keyring: ${other}`;
    return `| ${how} | ${what} | ${commands} | ${why} |`;
  });
}

function spelled(commands: readonly CommandName[]): string {
  if (commands.length === 0) return "none";
  if (commands.length === EVERY.length) return "every command";
  if (commands.length === WORKING.length) {
    return `all but ${named(EVERY.filter((name) => !WORKING.includes(name)))}`;
  }
  return named(EVERY.filter((name) => commands.includes(name)));
}

function named(commands: readonly CommandName[]): string {
  return commands.map((name) => `\`${name}\``).join(", ");
}
