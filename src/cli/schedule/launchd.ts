import { isDaily, jobName, type Plan, type Schedule, watchName } from "./plan.ts";
import { quotedWord } from "../../system/unix/processes.ts";

/**
 * A property list for launchd (launchd.plist(5)), and with deliveries one that keeps them up to date. For a user it is an agent, which runs in the graphical session with an
 * open keychain; for root it is a system daemon, which has no keychain.
 */
export function launchdJob(plan: Plan, of: "user" | "system"): Schedule {
  const { home, args, watch } = plan;
  const isAgent = of === "user";
  const library = isAgent ? `${home}/Library` : "/Library";
  const folder = `${library}/${isAgent ? "LaunchAgents" : "LaunchDaemons"}`;
  const jobs = [
    { name: jobName(plan), content: job(plan, library, jobName(plan), args, calendar(plan)) },
    ...watch === undefined ? [] : [{
      name: watchName(plan),
      content: job(plan, library, watchName(plan), watch, GOES_ON),
    }],
  ].map((one) => ({ ...one, path: `${folder}/${one.name}.plist` }));
  const domain = isAgent ? "gui/$(id -u)" : "system";
  const when = isAgent ? "each time that you log in" : "each time that the system starts";
  const begin = jobs.map(({ path }) => `\`launchctl bootstrap ${domain} ${quotedWord(path)}\``);
  const end = jobs.map(({ name, path }) =>
    `\`launchctl bootout ${domain}/${name}; rm ${quotedWord(path)}\``
  );
  return {
    files: jobs.map(({ path, content }) => ({ path, content })),
    next: `put ${watch === undefined ? "it" : "them"} there; then ${begin.join(" and ")}: it ` +
      `looks at once, and ${when}`,
    removal: end.join(" and "),
  };
}

function calendar(plan: Plan): string {
  const at: [string, number][] = [["Minute", plan.minute]];
  if (isDaily(plan)) at.unshift(["Hour", plan.hour]);
  return `  <key>StartCalendarInterval</key>
  <dict>
${pairs(at.map(([key, value]) => [key, `<integer>${value}</integer>`]))}  </dict>
  <!-- A machine that was off looks when it is on again. -->
  <key>RunAtLoad</key>
  <true/>
`;
}

const GOES_ON = `  <key>KeepAlive</key>
  <true/>
`;

/** @param starts when it is started. */
function job(
  { program, variables }: Plan,
  library: string,
  name: string,
  args: readonly string[],
  starts: string,
): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Made by rekey schedule. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  ${text(name)}
  <key>ProgramArguments</key>
  <array>
${[program, ...args].map((arg) => `    ${text(arg)}\n`).join("")}  </array>
  <key>EnvironmentVariables</key>
  <dict>
${pairs(Object.entries(variables).map(([key, value]) => [key, text(value)]))}  </dict>
${starts}  <key>StandardErrorPath</key>
  ${text(`${library}/Logs/${name}.log`)}
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`;
}

function pairs(list: readonly (readonly [key: string, value: string])[]): string {
  return list.map(([key, value]) => `    <key>${escaped(key)}</key>\n    ${value}\n`).join("");
}

function text(value: string): string {
  return `<string>${escaped(value)}</string>`;
}

function escaped(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
