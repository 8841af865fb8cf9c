import { shellWord } from "../../system/unix/shell.ts";
import { isDaily, jobName, type Plan, type Schedule } from "./plan.ts";

/** A property list for launchd (launchd.plist(5)): a job of the user's, who has the keychain. */
export function launchdAgent(plan: Plan): Schedule {
  const { program, args, variables, home, hour, minute } = plan;
  const name = jobName(plan);
  const at: [string, number][] = [["Minute", minute]];
  if (isDaily(plan)) at.unshift(["Hour", hour]);
  const path = `${home}/Library/LaunchAgents/${name}.plist`;
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
  <key>StandardErrorPath</key>
  ${text(`${home}/Library/Logs/${name}.log`)}
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`;
  return {
    files: [{ path, content }],
    next: `put it there; then \`launchctl load -w ${shellWord(path)}\``,
    removal: `\`launchctl unload -w ${shellWord(path)}; rm ${shellWord(path)}\``,
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
