import { isDaily, type Plan, type Schedule } from "./plan.ts";

/**
 * A line of crontab(5). Its output goes nowhere, so that cron sends mail only when something is wrong: errors and
 * warnings are on stderr.
 */
export function cronLine(plan: Plan): Schedule {
  const { program, args, variables, hour, minute } = plan;
  const command = [
    ...Object.entries(variables).map(([name, value]) => `${name}=${word(value)}`),
    ...[program, ...args].map(word),
    "--quiet >/dev/null",
  ].join(" ");
  const when = isDaily(plan) ? `${minute} ${hour} * * *` : `${minute} * * * *`;
  return {
    // cron takes a percent sign for the end of the line.
    files: [{ path: "crontab", content: `${when} ${command.replaceAll("%", "\\%")}\n` }],
    next: "add it with `crontab -e`; a keyring is out of cron's reach unless its session bus is " +
      "named (DBUS_SESSION_BUS_ADDRESS)",
  };
}

function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
