/** Everything that can be run; what differs in where it goes has a line of its own. */
export const COMMANDS = [
  ...[
    "--help",
    "--version",
    "version",
    "init",
    "import",
    "apps",
    "status",
    "store show",
    "doctor",
    "issue",
    "verify",
    "jwks",
    "rotate",
  ],
  ...[
    "policy set",
    "revoke",
    "user add",
    "user list",
    "user passwd",
    "user claims",
    "user remove",
    "session list",
  ],
  ...["session revoke", "audit list", "audit verify", "audit export", "audit merge", "stats"],
  ...["audit sinks", "audit key", "audit checkpoint", "audit verify-export", "audit prune"],
  ...["backup", "restore"],
  ...[
    "store move",
    "kek rotate",
    "serve",
    "serve --unix",
    "exec",
    "exec --on-rotate",
    "exec --keys-file",
    "schedule",
  ],
  ...[
    "deliver add",
    "deliver list",
    "deliver show",
    "deliver sync",
    "deliver check",
    "deliver remove",
    "deliver presets",
  ],
  ...["completions", "complete", "destroy", "REKEY_KEK_COMMAND"],
] as const;
/** Those that write or ask. */
export const DELIVERING = [
  "deliver add",
  "deliver sync",
  "deliver check",
  "deliver remove",
] as const;
export type CommandName = typeof COMMANDS[number];

export const EVERY: readonly CommandName[] = COMMANDS;
/** All that open a database. */
export const WORKING = COMMANDS.filter((name) =>
  !/version|help|schedule|completions|merge|verify-export|presets/.test(name)
);
