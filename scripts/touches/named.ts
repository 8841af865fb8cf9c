import { at, both, type Row, SQLITE } from "./row.ts";

/** Files, programs and hosts that the operator names. */
export const NAMED: readonly Row[] = [
  {
    what:
      "files that the operator names: `--file`, a backup to restore, exports to merge, a KEK, `--tls-cert`, `--tls-key`, " +
      "`--metrics-token-file`, `REKEY_ETCD_CA` and so on",
    pattern: at("~/named/(imported|exported|notes|backup\\.db)"),
    how: "reads",
    ...both(["import", "restore", "audit merge", "audit verify-export"]),
    why: "the operator asked for it",
  },
  {
    what: "the backup that is named, the unfinished file beside it, and its folder",
    pattern: at(`~/named(/backup\\.db|/\\.backup\\.db\\.UUID${SQLITE})?`),
    how: "writes",
    ...both(["backup"]),
    why: "renamed when it is finished and on the disk",
  },
  {
    what:
      "the sockets and files that `--audit-to` names, by every command: `/run/systemd/journal/socket`, `/dev/log` and so on",
    pattern: at("~/named/audit\\.jsonl"),
    how: "writes",
    ...both(["rotate"]),
    why: "get the audit log",
  },
  {
    what: "`/bin/sh`",
    pattern: /^\/bin\/sh$/,
    how: "starts",
    ...both(["REKEY_KEK_COMMAND", "deliver add", "deliver sync"]),
    why:
      "runs the operator's command; also for `rotate --before` and `--after`, and for reloads and probes whenever keys are delivered",
  },
  {
    what: "the program that is named",
    pattern: /^\/usr\/bin\/true$/,
    how: "starts",
    ...both(["exec", "exec --on-rotate", "exec --keys-file"]),
    why: "gets the secret",
  },
  {
    what: "the host of `--notify-url`, with `/etc/hosts` and `/etc/resolv.conf`",
    pattern: /^127\.0\.0\.1:PORT$/,
    how: "connects to",
    ...both(["rotate"]),
    why: "receives the notice",
  },
  {
    what: "`/usr/bin/systemctl`, with `--install`, after the units are written",
    pattern: /^\/usr\/bin\/systemctl$/,
    how: "starts",
    ...both(["schedule"]),
    why: "starts the timer",
    perhaps: true,
  },
  {
    what:
      "the file or folder of a delivery, the unfinished file beside it, and folders that are missing",
    pattern: at("~/delivered(/(keys\\.json|\\.keys\\.json\\.rekey-[\\w-]+))?"),
    how: "writes",
    ...both(["deliver add", "deliver sync", "deliver remove"]),
    why:
      "the keys of a program, written and deleted; with deliveries also by `rotate`, `revoke`, `serve`, `destroy`, and " +
      "by any command when they are late",
  },
  {
    what: "the file of a delivery, and the folders above it",
    pattern: at("~/delivered(/keys\\.json)?"),
    how: "reads",
    ...both(["deliver list", "deliver show", "deliver check"]),
    why: "compared with what should be there",
  },
  {
    what: "`/etc/systemd/system/rekey-rotate-APP.service`",
    pattern: /^\/etc\/systemd\/system\/rekey-rotate-[\w-]+\.service$/,
    how: "reads",
    ...both(["doctor"]),
    why: "with deliveries: whose schedule it is, and whether it is older than they are",
    perhaps: true,
  },
  {
    what: "`/dev/tty`",
    pattern: /^\/dev\/tty$/,
    how: "reads",
    ...both(["exec --on-rotate", "exec --keys-file"]),
    why: "tells whether the terminal has sent a signal to the program too",
    perhaps: true,
  },
  {
    what: "`$XDG_RUNTIME_DIR`, `/run` or `/dev/shm`, and `rekey-exec.….PID.START/keys.json` there",
    pattern: /^(\/run|\/dev\/shm)(\/rekey-exec\.[\w.-]+(\/keys\.json[\w.-]*)?)?$/,
    how: "writes",
    ...both(["exec --keys-file"]),
    why: "the program's file of keys, in memory; `--keys-dir` names another place",
  },
  {
    what: "`/dev/null`",
    pattern: /^\/dev\/null$/,
    how: "writes",
    database: ["REKEY_KEK_COMMAND", "deliver add", "deliver sync"],
    keyring: ["REKEY_KEK_COMMAND", "deliver add", "deliver sync", "serve"],
    why: "stands in for the stdin and stderr that such a program must not have",
    perhaps: true,
  },
];
