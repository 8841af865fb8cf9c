import { isDaily, jobName, type Plan, type Schedule, watchName } from "./plan.ts";

// A task has no environment variables, so flags replace them where they exist.
const FLAGS = [
  ["REKEY_APP", "--app"],
  ["REKEY_DATA_DIR", "--data-dir"],
  ["REKEY_STORE", "--store"],
  ["REKEY_MIRROR", "--mirror"],
  ["REKEY_KEK_FILE", "--kek-file"],
  ["REKEY_AUDIT_TO", "--audit-to"],
] as const;

/**
 * A task for the Windows Task Scheduler, as read by `schtasks /XML`. It runs in the user's session, since the Credential
 * Manager needs one.
 *
 * @param user owner of the task, as `DOMAIN\user`; by default the user who registers it.
 */
export function windowsTask(plan: Plan, user?: string): Schedule {
  const { words, left } = asFlags(plan.variables);
  const [command, ...rest] = plan.args;
  const tasks = [
    {
      name: jobName(plan),
      content: task(plan, user, inLine([command!, ...words, ...rest]), daily(plan)),
    },
    ...plan.watch === undefined ? [] : [{
      name: watchName(plan),
      content: task(plan, user, inLine([...plan.watch, ...words]), goesOn(user)),
    }],
  ].map((one) => ({ ...one, path: `${one.name}.xml` }));
  const apart = left.length === 0
    ? ""
    : `; a task has no variables: set ${left.join(", ")} for the user with setx`;
  const saved = tasks.map(({ path }) => path).join(" and ");
  const create = tasks.map(({ name, path }) => `\`schtasks /Create /TN ${name} /XML ${path}\``);
  return {
    files: tasks.map(({ path, content }) => ({ path, content })),
    next: `save ${plan.watch === undefined ? "it" : "them"} as ${saved}; then ` +
      `${create.join(" and ")} as the user whose secret it is${apart}`,
    removal: tasks.map(({ name }) => `\`schtasks /Delete /TN ${name} /F\``).join(" and "),
  };
}

function inLine(words: readonly string[]): string {
  return words.map(argument).join(" ");
}

function asFlags(variables: Plan["variables"]): { words: string[]; left: string[] } {
  const words = FLAGS.flatMap(([name, flag]) =>
    valuesOf(name, variables[name]).flatMap((value) => [flag, value])
  );
  const said: readonly string[] = FLAGS.map(([name]) => name);
  const left = Object.keys(variables).filter((name) =>
    name.startsWith("REKEY_") && !said.includes(name)
  );
  return { words, left };
}

// The variable takes several at once.
function valuesOf(name: string, value: string | undefined): string[] {
  if (value === undefined) return [];
  return name === "REKEY_AUDIT_TO" ? value.split(",") : [value];
}

/** When a task is started, and for how long it may run. */
interface TaskTimes {
  readonly what: string;
  readonly trigger: string;
  /** `xs:duration`; PT0S is for ever. */
  readonly limit: string;
}

function daily(plan: Plan): TaskTimes {
  const { hour, minute } = plan;
  const two = (number: number) => String(number).padStart(2, "0");
  const hourly = "<Repetition><Interval>PT1H</Interval><Duration>P1D</Duration></Repetition>";
  return {
    what: "Rotates the JWT secret",
    trigger: `<CalendarTrigger>${isDaily(plan) ? "" : `\n      ${hourly}`}
      <StartBoundary>2026-01-01T${two(hour)}:${two(minute)}:00</StartBoundary>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>`,
    limit: "PT1H",
  };
}

// The repetition starts one again that has ended; one that runs is left alone.
function goesOn(user: string | undefined): TaskTimes {
  // Without a user, only an administrator could register it: it would be for everyone who logs on.
  const owner = user === undefined ? "" : `\n      <UserId>${escaped(user)}</UserId>`;
  return {
    what: "Keeps programs up to date with the JWT secret",
    trigger: `<LogonTrigger>
      <Repetition><Interval>PT5M</Interval></Repetition>${owner}
    </LogonTrigger>`,
    limit: "PT0S",
  };
}

// ASCII without an encoding declaration, so that any shell redirection keeps it valid.
function task(
  { app, program }: Plan,
  user: string | undefined,
  line: string,
  { what, trigger, limit }: TaskTimes,
): string {
  const owner = user === undefined ? "" : `\n      <UserId>${escaped(user)}</UserId>`;
  return `<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>${what} of ${escaped(app)}. Made by rekey schedule.</Description>
  </RegistrationInfo>
  <Triggers>
    ${trigger}
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
    <ExecutionTimeLimit>${limit}</ExecutionTimeLimit>
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
