import {
  isDaily,
  jobName,
  type Plan,
  type Schedule,
  type ScheduleFile,
  watchName,
} from "./plan.ts";
import { spelled } from "../format.ts";
import { quotedWord } from "../../system/unix/processes.ts";

/** Differences between user units and system units, which run without a login and allow more sandboxing. */
export type Manager = UnitOwner & {
  /** File of the sealed KEK, for `LoadCredentialEncrypted=`. */
  readonly credential: string | undefined;
  /** `$XDG_CONFIG_HOME` or its default. */
  readonly config: string;
};

type UnitOwner =
  | { readonly of: "user" }
  /** `writes`: the folders that a rotation writes to. */
  | { readonly of: "system"; readonly user: string; readonly writes: readonly string[] };

/**
 * A service and its timer (systemd.service(5), systemd.timer(5), systemd.exec(5)), and with deliveries a service that
 * keeps them up to date.
 */
export function systemdUnits(plan: Plan, manager: Manager): Schedule {
  const { of, config } = manager;
  const folder = of === "user" ? `${config}/systemd/user` : "/etc/systemd/system";
  const name = jobName(plan);
  const files = [
    { path: `${folder}/${name}.service`, content: service(plan, manager) },
    { path: `${folder}/${name}.timer`, content: timer(plan) },
    { path: `${folder}/${failureUnit(plan)}`, content: failureService(plan, manager) },
    ...plan.watch === undefined
      ? []
      : [{ path: `${folder}/${watchName(plan)}.service`, content: watchService(plan, manager) }],
  ];
  const started = startedUnits(files).join(" ");
  const systemctl = of === "user" ? "systemctl --user" : "systemctl";
  const next = `put them there, or let --install do it; then \`${systemctl} daemon-reload\` and ` +
    `\`${systemctl} enable --now ${started}\``;
  const paths = files.map(({ path }) => quotedWord(path)).join(" ");
  const removal = `\`${systemctl} disable --now ${started}; rm ${paths}\``;
  return { files, next, removal };
}

/** Names of the units that start by themselves; the others are started by these. */
export function startedUnits(files: readonly ScheduleFile[]): string[] {
  return files.filter(({ content }) => content.includes("\n[Install]\n"))
    .map(({ path }) => path.replace(/^.*\//, ""));
}

function failureUnit(plan: Plan): string {
  return `${jobName(plan)}-failed@.service`;
}

// Reports a service that failed without sending a notice.
function failureService(plan: Plan, manager: Manager): string {
  const { app, program, failure, variables } = plan;
  return lines([
    "[Unit]",
    `Description=Tell that the rotation of the JWT secret of ${app} failed (%i)`,
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${[program, ...failure].map(word).join(" ")}`,
    ...execEnvironment(variables, manager),
    "",
    "UMask=0077",
    "NoNewPrivileges=yes",
  ]);
}

function execEnvironment(variables: Plan["variables"], manager: Manager): string[] {
  return [
    ...Object.entries(variables).map(([name, value]) =>
      `Environment=${quoted(`${name}=${value}`)}`
    ),
    ...manager.of === "system" ? [`User=${manager.user}`] : [],
    ...manager.credential === undefined
      ? []
      : [`LoadCredentialEncrypted=rekey-kek:${percent(manager.credential)}`],
  ];
}

// What reloads and probes also run under, whichever service starts them.
const LIMITS = [
  "UMask=0077",
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service @pkey",
];

// It goes on: a timer of its own for the end of each grace period would be lost at a reboot.
function watchService({ app, program, watch, variables }: Plan, manager: Manager): string {
  return lines([
    "[Unit]",
    `Description=Keep programs up to date with the JWT secret of ${app}`,
    "",
    "[Service]",
    `ExecStart=${[program, ...watch!].map(word).join(" ")}`,
    "Restart=always",
    "RestartSec=5s",
    ...execEnvironment(variables, manager),
    "",
    ...LIMITS,
    "",
    "[Install]",
    `WantedBy=${manager.of === "user" ? "default" : "multi-user"}.target`,
  ]);
}

function service(plan: Plan, manager: Manager): string {
  const { app, program, args, variables, maxAge } = plan;
  return lines([
    "[Unit]",
    `Description=Rotate the JWT secret of ${app} when it is ${spelled(maxAge)} old`,
    `OnFailure=${failureUnit(plan).replace("@", "@%N")}`,
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${[program, ...args].map(word).join(" ")}`,
    ...execEnvironment(variables, manager),
    "",
    ...LIMITS,
    ...plan.reachesOut ? [] : ["RestrictAddressFamilies=AF_UNIX"],
    ...manager.of === "system" && !plan.reachesOut ? sandbox(manager.writes) : [],
  ]);
}

// User managers support these only where unprivileged user namespaces are allowed.
function sandbox(writes: readonly string[]): string[] {
  return [
    "CapabilityBoundingSet=",
    "DevicePolicy=closed",
    "IPAddressDeny=any",
    "PrivateDevices=yes",
    "PrivateNetwork=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=read-only",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    ...writes.map((path) => `ReadWritePaths=${quoted(`-${path}`)}`),
    "RemoveIPC=yes",
  ];
}

function timer(plan: Plan): string {
  const [hour, minute] = [plan.hour, plan.minute].map((part) => String(part).padStart(2, "0"));
  const daily = isDaily(plan);
  return lines([
    "[Unit]",
    `Description=Look each ${daily ? "day" : "hour"} whether the JWT secret of ${plan.app} is due`,
    "",
    "[Timer]",
    `OnCalendar=${daily ? `*-*-* ${hour}:${minute}:00` : `*-*-* *:${minute}:00`}`,
    `RandomizedDelaySec=${daily ? "15min" : "1min"}`,
    "# A machine that was off looks when it is on again.",
    "Persistent=yes",
    "",
    "[Install]",
    "WantedBy=timers.target",
  ]);
}

function lines(list: readonly string[]): string {
  return `# Made by rekey schedule.\n${list.join("\n")}\n`;
}

// A percent sign starts a specifier; in a command line, a dollar sign starts a variable.
const percent = (text: string) => text.replaceAll("%", "%%");

function word(text: string): string {
  return quoted(text.replaceAll("$", "$$$$"));
}

function quoted(text: string): string {
  const plain = percent(text);
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  return `"${plain.replace(/["\\]/g, "\\$&")}"`;
}
