import { isDaily, jobName, type Plan, type Schedule } from "./plan.ts";
import { quotedWord } from "../../system/unix/processes.ts";

/**
 * A property list for launchd (launchd.plist(5)). For a user it is an agent, which runs in the graphical session with an
 * open keychain; for root it is a system daemon, which has no keychain.
 */
export function launchdJob(plan: Plan, of: "user" | "system"): Schedule {
  const { program, args, variables, home, hour, minute } = plan;
  const name = jobName(plan);
  const isAgent = of === "user";
  const library = isAgent ? `${home}/Library` : "/Library";
  const path = `${library}/${isAgent ? "LaunchAgents" : "LaunchDaemons"}/${name}.plist`;
  const domain = isAgent ? "gui/$(id -u)" : "system";
  const at: [string, number][] = [["Minute", minute]];
  if (isDaily(plan)) at.unshift(["Hour", hour]);
  const content = `<?xml version="1.0" encoding="UTF-8"?>
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
  <key>StartCalendarInterval</key>
  <dict>
${pairs(at.map(([key, value]) => [key, `<integer>${value}</integer>`]))}  </dict>
  <!-- A machine that was off looks when it is on again. -->
  <key>RunAtLoad</key>
  <true/>
  <key>StandardErrorPath</key>
  ${text(`${library}/Logs/${name}.log`)}
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`;
  const when = isAgent ? "each time that you log in" : "each time that the system starts";
  return {
    files: [{ path, content }],
    next: `put it there; then \`launchctl bootstrap ${domain} ${quotedWord(path)}\`: it looks at ` +
      `once, and ${when}`,
    removal: `\`launchctl bootout ${domain}/${name}; rm ${quotedWord(path)}\``,
  };
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
