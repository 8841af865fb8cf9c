import { rfc3339 } from "../../core/clock.ts";
import type { HookFacts } from "./hook_facts.ts";

/** The kinds of notices. */
export type NoticeType =
  | "rotation.completed"
  | "rotation.announced"
  | "rotation.cancelled"
  | "rotation.failed"
  | "rotation.blocked";

/** A notice: names and times, nothing secret. */
export interface Notice {
  readonly type: NoticeType;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly data: HookFacts;
}

/** A notice with the present time. */
export function noticeOf(type: NoticeType, data: HookFacts): Notice {
  return { type, timestamp: rfc3339(Date.now()), data };
}

/** Whether a person has to do something. */
function isAlarm({ type }: Notice): boolean {
  return type === "rotation.failed" || type === "rotation.blocked";
}

/** The event in one line. */
function noticeTitle({ type, data }: Notice): string {
  const secret = `the JWT secret of ${data.app} on ${data.host}`;
  switch (type) {
    case "rotation.completed":
      return `rekey rotated ${secret}`;
    case "rotation.announced":
      return `rekey will rotate ${secret} at ${data.at}`;
    case "rotation.cancelled":
      return `rekey will not rotate ${secret}: the announced rotation was cancelled`;
    case "rotation.failed":
      return `rekey failed to rotate ${secret}`;
    case "rotation.blocked":
      return data.due
        ? `rekey cannot rotate ${secret}, although a rotation is due`
        : `rekey will not be able to rotate ${secret} when it is due`;
  }
}

/** The event and its facts, one per line. */
function noticeText(notice: Notice): string {
  const { data } = notice;
  const lines = [
    noticeTitle(notice),
    data.version === null ? null : `Version ${data.version} (kid ${data.kid}), in ${data.location}`,
    endOf(data),
    data.error === undefined ? null : `Why: ${data.error}`,
    data.hint === undefined || data.hint === null ? null : `What to do: ${data.hint}`,
    data.reason === null ? null : `Reason given: ${data.reason}`,
  ];
  return lines.filter((line) => line !== null).join("\n");
}

function endOf({ previous_version, grace_until }: HookFacts): string | null {
  if (previous_version === undefined || previous_version === null) return null;
  return grace_until === null
    ? `Version ${previous_version} no longer verifies: all sessions have ended`
    : `Version ${previous_version} verifies until ${grace_until}`;
}

/** Body and headers of a POST. */
interface Post {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The format of a kind of receiver. */
interface NoticeFormat {
  post(notice: Notice): Post;
  /** Whether an address belongs to such a receiver. */
  matches(url: URL): boolean;
  /** Whether knowing the address is enough to post to it. */
  readonly secretAddress: boolean;
}

/** Names of the formats, for `--notify-format`. `rekey` is the signed one, of Standard Webhooks. */
export const NOTICE_FORMATS = [
  "rekey",
  "slack",
  "mattermost",
  "teams",
  "discord",
  "google-chat",
  "ntfy",
] as const;
export type NoticeFormatName = (typeof NOTICE_FORMATS)[number];

const FORMATS: Readonly<Record<NoticeFormatName, NoticeFormat>> = {
  rekey: {
    post: (notice) => json(notice),
    matches: () => false,
    secretAddress: false,
  },
  // Slack's incoming webhooks, which Rocket.Chat and others imitate.
  slack: {
    post: (notice) => json({ text: escaped(noticeText(notice)) }),
    matches: ({ hostname, pathname }) =>
      /^hooks\.slack(-gov)?\.com$/.test(hostname) ||
      (isDiscord(hostname) && pathname.endsWith("/slack")),
    secretAddress: true,
  },
  // Self-hosted: addresses end with an identifier of 26 characters.
  mattermost: {
    post: (notice) => json({ text: literal(noticeText(notice)) }),
    matches: ({ pathname }) => /\/hooks\/[a-z0-9]{26}$/.test(pathname),
    secretAddress: true,
  },
  // A flow of Power Automate ("Workflows"), which took the place of Office 365's connectors.
  teams: {
    post: (notice) => json(cardOf(notice)),
    matches: ({ hostname }) =>
      /(^|\.)(logic\.azure\.(com|us|cn)|api\.powerplatform\.com|webhook\.office\.com)$/.test(
        hostname,
      ),
    secretAddress: true,
  },
  discord: {
    // A reason must not mention (notify) anyone.
    post: (notice) =>
      json({
        content: cut(literal(noticeText(notice)), DISCORD_CHARACTERS),
        allowed_mentions: { parse: [] },
      }),
    matches: ({ hostname, pathname }) => isDiscord(hostname) && !pathname.endsWith("/slack"),
    secretAddress: true,
  },
  "google-chat": {
    post: (notice) => json({ text: noticeText(notice) }),
    matches: ({ hostname }) => hostname === "chat.googleapis.com",
    secretAddress: true,
  },
  // The text itself is the body. Headers are ASCII.
  ntfy: {
    post: (notice) => ({
      body: noticeText(notice),
      headers: {
        "content-type": "text/plain; charset=utf-8",
        title: noticeTitle(notice).replace(/[^ -~]/g, "?"),
        priority: isAlarm(notice) ? "high" : "default",
      },
    }),
    matches: ({ hostname }) => hostname === "ntfy.sh",
    secretAddress: true,
  },
};

// Discord's limit.
const DISCORD_CHARACTERS = 2_000;

/** The format that an address asks for by its host or path; `rekey` when it does not. */
export function formatFor(url: URL): NoticeFormatName {
  return NOTICE_FORMATS.find((name) => FORMATS[name].matches(url)) ?? "rekey";
}

/** Whether the address of such a receiver must be kept secret. */
export function hasSecretAddress(format: NoticeFormatName): boolean {
  return FORMATS[format].secretAddress;
}

/** The notice as such a receiver takes it. */
export function postOf(format: NoticeFormatName, notice: Notice): Post {
  return FORMATS[format].post(notice);
}

function json(value: unknown): Post {
  return { body: JSON.stringify(value), headers: { "content-type": "application/json" } };
}

function isDiscord(hostname: string): boolean {
  return /^((canary|ptb)\.)?discord(app)?\.com$/.test(hostname);
}

// The three characters that have a meaning in Slack's texts, `<!channel>` among them.
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// Escapes Markdown: a reason must not mention anyone or make a link.
function literal(text: string): string {
  return text.replace(/[\\`*~#|[\]<>]/g, "\\$&").replaceAll("@", "@\u200b")
    .replace(/^(?=[-+])/gm, "\\");
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}

function cardOf(notice: Notice) {
  const [title, ...rest] = noticeText(notice).split("\n");
  const block = (text: string) => ({ type: "TextBlock", text: literal(text), wrap: true });
  return {
    type: "message",
    attachments: [{
      contentType: "application/vnd.microsoft.card.adaptive",
      contentUrl: null,
      content: {
        $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
        type: "AdaptiveCard",
        version: "1.2",
        body: [{ ...block(title!), weight: "Bolder" }, ...rest.map(block)],
      },
    }],
  };
}
