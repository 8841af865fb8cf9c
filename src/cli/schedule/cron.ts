import { RekeyError } from "../../core/errors.ts";
import { isDaily, jobName, type Plan, type Schedule } from "./plan.ts";

// Of a command, in many crons.
const LONGEST = 990;

/**
 * A line of crontab(5). Its output goes nowhere, so that cron sends mail only when something is wrong: errors and
 * warnings are on stderr.
 */
export function cronLine(plan: Plan): Schedule {
  const { program, args, variables, hour, minute } = plan;
  const command = [
    ...Object.entries(variables).map(([name, value]) => `${name}=${word(value)}`),
    ...[program, ...args].map(word),
    `--quiet >/dev/null # ${jobName(plan)}`,
  ].join(" ");
  const line = command.replaceAll("%", "\\%");
  if (line.length > LONGEST) throw tooLong();
  const when = isDaily(plan) ? `${minute} ${hour} * * *` : `${minute} * * * *`;
  return {
    files: [{ path: "crontab", content: `${when} ${line}\n` }],
    next: "add it with `crontab -e`; a keyring is out of cron's reach unless its session bus is " +
      "named (DBUS_SESSION_BUS_ADDRESS)",
    removal: `\`crontab -l | grep -v '# ${jobName(plan)}$' | crontab -\``,
  };
}

// cron takes a percent sign for the end of the line unless there is a backslash before it, and some crons two
// backslashes for one: quotes between them keep all of these apart.
function word(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  const apart = text.replaceAll("'", `'\\''`).replace(/\\(?=\\)/g, `\\''`).replaceAll("%", "'%'");
  return `'${apart}'`;
}

function tooLong(): RekeyError {
  return new RekeyError(
    "usage",
    `Cannot schedule it: cron takes commands of ${LONGEST} characters`,
    {
      hint: "Put longer commands into a script, and name that",
    },
  );
}
