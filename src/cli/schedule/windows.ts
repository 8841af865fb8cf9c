import { isDaily, jobName, type Plan, type Schedule } from "./plan.ts";

/** Lines of PowerShell that register a task of the user's with Windows. */
export function windowsTask(plan: Plan): Schedule {
  const { program, args, variables, hour, minute } = plan;
  const time = `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
  const trigger = isDaily(plan)
    ? `-Daily -At ${time}`
    : `-Once -At ${time} -RepetitionInterval (New-TimeSpan -Hours 1)`;
  const content = [
    "# A task has no variables of its own: these are the user's.",
    ...Object.entries(variables).map(([name, value]) =>
      `[Environment]::SetEnvironmentVariable(${text(name)}, ${text(value)}, 'User')`
    ),
    `$action = New-ScheduledTaskAction -Execute ${text(program)} -Argument ${
      text(args.map(argument).join(" "))
    }`,
    `$trigger = New-ScheduledTaskTrigger ${trigger}`,
    "# A machine that was off looks when it is on again.",
    "$settings = New-ScheduledTaskSettingsSet -StartWhenAvailable -MultipleInstances IgnoreNew",
    `Register-ScheduledTask -TaskName ${text(jobName(plan))} -Action $action -Trigger $trigger ` +
    "-Settings $settings",
  ].slice(Object.keys(variables).length === 0 ? 1 : 0);
  return {
    files: [{ path: `${jobName(plan)}.ps1`, content: `${content.join("\n")}\n` }],
    next: "run it in PowerShell as the user whose secret it is",
    removal: `\`Unregister-ScheduledTask -TaskName ${
      text(jobName(plan))
    } -Confirm:$false\` in PowerShell`,
  };
}

function text(value: string): string {
  return `'${value.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`;
}

// As CommandLineToArgvW reads it: backslashes count only before a quotation mark.
function argument(value: string): string {
  if (/^[^\s"]+$/.test(value)) return value;
  return `"${
    value.replace(/(\\*)("|$)/g, (_, slashes, quote) => slashes.repeat(2) + (quote && `\\${quote}`))
  }"`;
}
