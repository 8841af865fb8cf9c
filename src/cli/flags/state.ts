import type { Commands } from "./command.ts";

/** Commands that show the state of the secret, and what is wrong with it. */
export const stateCommands: Commands = {
  apps: (program) => {
    program.command("apps")
      .description("list the known apps and where their secrets are")
      .runs(async () => (await import("../commands/store.ts")).apps);
  },
  status: (program) => {
    program.command("status")
      .description("show the secret's version, location and age, never its value")
      .option("--check", "one line for a monitor; exit 5 when a rotation is due")
      .duration("--max-age <duration>", "age at which a rotation is due", "90d")
      .runs(async () => (await import("../commands/status.ts")).status);
  },
  doctor: (program) => {
    program.command("doctor")
      .description(
        "find problems and show the commands that fix them; exit 5 if there are any",
      )
      .option("--fix", "fix what is safe to fix: file modes and unfinished work")
      .duration("--max-age <duration>", "age at which a rotation is due", "90d")
      .runs(async () => (await import("../commands/doctor.ts")).doctor);
  },
};
