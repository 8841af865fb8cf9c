import { compareVersions } from "../src/cli/runtime_cves.ts";

const SYS = "--allow-sys=uid,gid,username,homedir,hostname,statfs,networkInterfaces";

/**
 * The permissions of the binary with their reasons; docs/permissions.md has this list. Programs are named by path: the
 * runtime would search PATH for others at each start, and fail without PATH.
 */
export const PERMISSIONS: readonly (readonly [flag: string, reason: string])[] = [
  [
    "--allow-read",
    "the database, key files, the unpacked addon and the session bus's socket may be in any folder",
  ],
  ["--allow-write", "the same files; speaking to that socket"],
  ["--allow-env", "REKEY_* and XDG_* variables, HOME, NO_COLOR"],
  [
    SYS,
    "the actor of audit rows, the owner of files, the home folder; how full the disk is (`doctor`); " +
    "whether a folder is in memory (`exec --keys-file`); which addresses the machine has (`serve` on all of them)",
  ],
  [
    "--allow-net",
    "`serve` listens where it is told; `rotate --notify-url` posts; rekey asks the etcd that is named; deliveries " +
    "ask their programs, and tell them by their sockets. Nothing else uses the network",
  ],
  [
    "--allow-ffi",
    "the keyring addon; access lists of private files on Windows; each command has the C library give back memory that its start has freed, and asks for the " +
    "limit of open files when one cannot be opened; `serve` raises that limit, protects its " +
    "memory, looks at the memory that SQLite's processes share, speaks to systemd and verifies signatures of key pairs with OpenSSL where that is installed; `exec` becomes its program, or on Windows keeps it in a job, and writes its file of keys in " +
    "memory; the sockets and descriptors of `--audit-to`; " +
    "finding users and groups by name; finding the programs that hold an old secret, and who listens on an abstract session bus",
  ],
  [
    "--allow-run",
    "`exec` starts the program that it is given; `schedule --install` and `--remove` start `/usr/bin/systemctl`; " +
    "`REKEY_KEK_COMMAND`, `REKEY_PASSPHRASE_COMMAND`, `rotate --before` and `--after` start the system's shell " +
    "(`/bin/sh`, `cmd.exe`), and on Windows `taskkill.exe` ends those that take too long; deliveries start the " +
    "reloads and probes of their programs; `serve` starts itself again, to talk to the keyring. Nothing else is started",
  ],
];

/**
 * Permission flags for a version of Deno. From 2.9.4 on setting the umask needs a permission that the list of
 * `--allow-sys` cannot name, so the flag has no list.
 */
export function permissionFlags(deno: string): string[] {
  const guardsUmask = compareVersions(deno, "2.9.4") >= 0;
  return PERMISSIONS.map(([flag]) => flag === SYS && guardsUmask ? "--allow-sys" : flag);
}
