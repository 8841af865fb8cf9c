import { type CommandName, EVERY, WORKING } from "./commands.ts";
import { both, type Row } from "./row.ts";

// They write no audit row, so they need not know who acts.
const NAMELESS: readonly CommandName[] = [
  ...[
    "apps",
    "store show",
    "user list",
    "session list",
    "audit list",
    "audit verify",
    "audit export",
    "audit sinks",
    "audit key",
    "audit checkpoint",
  ],
  ...["stats", "destroy", "doctor", "complete", "deliver list", "deliver show"],
] as CommandName[];
const ACTING = WORKING.filter((name) => !NAMELESS.includes(name));

/** The executable itself, and what the runtime and libc ask the system for. */
export const SYSTEM: readonly Row[] = [
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
    why: "the command itself; `serve` starts it again to talk to the keyring",
  },
  {
    what: "`/etc/ld.so.cache`; libc, libm, libdl, librt, libpthread, libgcc_s",
    pattern:
      /^\/etc\/ld\.so\.cache$|^(\/usr)?\/lib(64)?\/([\w-]+\/)?lib(c|m|dl|rt|pthread|gcc_s)\.so\.\d$/,
    how: "reads",
    ...both(EVERY),
    why: "the loader's; the runtime is linked to these and nothing else",
  },
  {
    what:
      "`/proc/self/{maps,cgroup}`, `/proc/meminfo`, `/sys/fs/cgroup/…`, `/sys/devices/system/cpu/…`",
    pattern:
      /^\/proc\/(self\/(maps|cgroup)|meminfo)$|^\/sys\/(fs\/cgroup|devices\/system\/cpu)(\/.*)?$/,
    how: "reads",
    ...both(EVERY),
    why: "tells the runtime how much memory and how many processors the machine has",
  },
  {
    what: "`/proc/self/{loginuid,cgroup,uid_map}`",
    pattern: /^\/proc\/self\/(loginuid|uid_map)$/,
    how: "reads",
    ...both(ACTING),
    why:
      "who has logged in, the service manager's unit, and whether this is a user namespace, for the actor of audit rows",
  },
  {
    what: "`/proc/sys/vm/overcommit_memory`",
    pattern: /^\/proc\/sys\/vm\/overcommit_memory$/,
    how: "reads",
    ...both(["serve", "serve --unix"]),
    why: "tells the C library how to return memory that a thread no longer needs",
    perhaps: true,
  },
  {
    what: "`/proc/sys/kernel/random/boot_id`, `/proc/PID/stat`",
    pattern: /^\/proc\/(sys\/kernel\/random\/boot_id|\d+\/stat)$/,
    how: "reads",
    ...both(["exec", "exec --on-rotate", "exec --keys-file"]),
    why: "tells the program's process from a later one, to name who holds an old version",
  },
  {
    what: "the same files once `exec` has started a program, and `/proc/locks`",
    pattern: /^\/proc\/(sys\/kernel\/random\/boot_id|\d+\/stat|locks)$/,
    how: "reads",
    ...both(["status", "rotate", "revoke", "doctor", "serve", "serve --unix"]),
    why: "tells which programs still run, and whether one has the database open",
    perhaps: true,
  },
  {
    what: "`/dev/urandom`",
    pattern: /^\/dev\/urandom$/,
    how: "reads",
    ...both(EVERY),
    why: "seeds the runtime's hash tables; secrets come from getrandom(2)",
  },
  {
    what: "`/etc/localtime`, `/usr/share/zoneinfo/…`",
    pattern: /^\/etc\/(localtime|timezone)$|^\/usr\/share\/zoneinfo(\/.*)?$/,
    how: "reads",
    ...both(EVERY),
    why: "the runtime's time zone",
  },
  {
    what: "`/etc/nsswitch.conf`, `/etc/{passwd,group}`, `libnss_….so`",
    pattern: /^\/etc\/(nsswitch\.conf|passwd|group)$|\/libnss_\w+\.so\.2$/,
    how: "reads",
    ...both([...ACTING, "schedule"]),
    why: "the user's name, for the actor of audit rows; `schedule`: the user's own home folder",
  },
  {
    what: "`/var/run/nscd/socket`, `/run/systemd/userdb/…`",
    pattern: /^(\/var)?\/run\/(nscd\/socket|systemd\/userdb\/.*)$/,
    how: "connects to",
    ...both([...ACTING, "schedule"]),
    why: "the same, where the system has a service for user names",
    perhaps: true,
  },
];
