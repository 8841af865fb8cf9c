import { isDaily, jobName, type Plan, type Schedule } from "./plan.ts";

// A task has no environment variables, so flags replace them where they exist.
const FLAGS = [
  ["REKEY_APP", "--app"],
  ["REKEY_DATA_DIR", "--data-dir"],
  ["REKEY_STORE", "--store"],
  ["REKEY_MIRROR", "--mirror"],
  ["REKEY_KEK_FILE", "--kek-file"],
] as const;

/**
 * A task for the Windows Task Scheduler, as read by `schtasks /XML`. It runs in the user's session, since the Credential
 * Manager needs one.
 *
 * @param user owner of the task, as `DOMAIN\user`; by default the user who registers it.
 */
export function windowsTask(plan: Plan, user?: string): Schedule {
  const name = jobName(plan);
  const file = `${name}.xml`;
  const { words, left } = asFlags(plan.variables);
  const [command, ...rest] = plan.args;
  const line = [command!, ...words, ...rest].map(argument).join(" ");
  const apart = left.length === 0
    ? ""
    : `; a task has no variables: set ${left.join(", ")} for the user with setx`;
  return {
    files: [{ path: file, content: task(plan, user, line) }],
    next: `save it as ${file}; then \`schtasks /Create /TN ${name} /XML ${file}\` as the user ` +
      `whose secret it is${apart}`,
    removal: `\`schtasks /Delete /TN ${name} /F\``,
  };
}

function asFlags(variables: Plan["variables"]): { words: string[]; left: string[] } {
  const words = FLAGS.flatMap(([name, flag]) =>
    variables[name] === undefined ? [] : [flag, variables[name]]
  );
  const said: readonly string[] = FLAGS.map(([name]) => name);
  const left = Object.keys(variables).filter((name) =>
    name.startsWith("REKEY_") && !said.includes(name)
  );
  return { words, left };
}

// ASCII without an encoding declaration, so that any shell redirection keeps it valid.
function task(plan: Plan, user: string | undefined, line: string): string {
  const { app, program, hour, minute } = plan;
  const two = (number: number) => String(number).padStart(2, "0");
  const owner = user === undefined ? "" : `\n      <UserId>${escaped(user)}</UserId>`;
  const hourly = "<Repetition><Interval>PT1H</Interval><Duration>P1D</Duration></Repetition>";
  return `<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Rotates the JWT secret of ${escaped(app)}. Made by rekey schedule.</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>${isDaily(plan) ? "" : `\n      ${hourly}`}
      <StartBoundary>2026-01-01T${two(hour)}:${two(minute)}:00</StartBoundary>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">${owner}
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT1H</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escaped(program)}</Command>
      <Arguments>${escaped(line)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

function escaped(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[&<>]|[^\x00-\x7f]/gu, (character) => `&#${character.codePointAt(0)};`);
}

// As CommandLineToArgvW reads it: backslashes count only before a quotation mark.
function argument(value: string): string {
  if (/^[^\s"]+$/.test(value)) return value;
  return `"${
    value.replace(/(\\*)("|$)/g, (_, slashes, quote) => slashes.repeat(2) + (quote && `\\${quote}`))
  }"`;
}
