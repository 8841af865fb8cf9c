import { compareVersions } from "../src/cli/known_fixes.ts";

const SYS = "--allow-sys=uid,gid,username,homedir,hostname,statfs,networkInterfaces";

/**
 * The permissions that the binary is compiled with, each with its reason; docs/permissions.md has this list. A program
 * named without its folder would be looked for in PATH at every start, and fail without one.
 */
export const PERMISSIONS: readonly (readonly [flag: string, reason: string])[] = [
  [
    "--allow-read",
    "the database, key files and the unpacked addon may be in any folder that is named; so may the session bus's socket",
  ],
  ["--allow-write", "the same files, and to speak to that socket"],
  ["--allow-env", "REKEY_* and XDG_* variables, HOME, NO_COLOR"],
  [
    SYS,
    "the actor of audit rows, the owner of files, the home folder; `doctor` asks how full the disk is; `serve` on " +
    "all addresses asks which they are",
  ],
  [
    "--allow-net",
    "`serve` listens where it is told; `rotate --notify-url` posts; etcd is asked where one is named; nothing else " +
    "uses the network",
  ],
  [
    "--allow-ffi",
    "the keyring addon; access lists of private files on Windows; `serve` raises its limit of open files, keeps its memory " +
    "to itself and speaks to systemd; `exec` becomes its program, or on Windows keeps it in a job; which programs run and " +
    "hold an old secret; who listens on an abstract session bus",
  ],
  [
    "--allow-run",
    "`exec` starts the program that it is given, `schedule --install` and `--remove` start `/usr/bin/systemctl`; else only " +
    "the system's shell is started (`/bin/sh`, `cmd.exe`): REKEY_KEK_COMMAND and " +
    "REKEY_PASSPHRASE_COMMAND, `rotate --before` and `--after`; `taskkill.exe`, for those that take too long on Windows; " +
    "and `serve` starts itself again, to talk to the keyring",
  ],
];

/**
 * The flags of the permissions for a version of Deno. From 2.9.4 on a program must be allowed to set its umask, which a
 * list in the flag may not name: there it gets all of `--allow-sys`.
 */
export function permissionFlags(deno: string): string[] {
  const guardsUmask = compareVersions(deno, "2.9.4") >= 0;
  return PERMISSIONS.map(([flag]) => flag === SYS && guardsUmask ? "--allow-sys" : flag);
}
