import assert from "node:assert/strict";
import { join } from "node:path";
import { formatFor } from "../../src/cli/notices/chat_formats.ts";
import { CHATS, chatServer, refusing } from "../support/commands/chats.ts";
import { initialised } from "../support/process/initialised.ts";
import { keyFile, noticesOf, receiver, ROTATE, versionOf } from "../support/commands/notices.ts";

Deno.test("each chat takes the body that is posted to it, and needs no key", async () => {
  using box = await initialised();
  for (const [format, chat] of Object.entries(CHATS)) {
    await using server = chatServer(chat);
    const args = ["--notify-url", server.url, "--notify-format", format];
    const reason = "@everyone <!channel> & **x**";
    const { code, stderr } = await box.run(["rotate", "--force", "--reason", reason, ...args]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /warning/, format);
    assert.equal(server.bodies.length, 1);
    assert.match(server.bodies[0]!, /rekey rotated the JWT secret of agiworkforce/);
    // Google's chat has no such words, and Slack's are in angle brackets.
    const calls = format === "slack" ? /<!channel>/ : /@everyone/;
    if (format !== "google-chat") assert.doesNotMatch(server.bodies[0]!, calls);
  }
  assert.deepEqual(await noticesOf(box), []);
});

Deno.test("a signed notice is not what a chat takes, and its own words are shown", async () => {
  using box = await initialised();
  const [path] = keyFile(box);
  await using server = chatServer(CHATS.slack!);
  const args = ["--notify-url", server.url, "--notify-format", "rekey", "--notify-key-file", path];
  const { code, stderr } = await box.run([...ROTATE, ...args]);
  assert.equal(code, 0);
  assert.match(stderr, /warning: Cannot deliver .* \(rekey\): status 400, it says: no_text/);
  assert.equal(server.bodies.length, 1, "the same would be refused again");
});

Deno.test("ntfy takes the text itself", async () => {
  using box = await initialised();
  await using taken = receiver();
  const args = ["--notify-url", taken.url, "--notify-format", "ntfy"];
  assert.equal((await box.run([...ROTATE, ...args])).code, 0);
  const [{ headers, body }] = taken.posts as [typeof taken.posts[0]];
  assert.match(headers.get("title")!, /^rekey rotated/);
  assert.match(body, /^rekey rotated .*\nVersion 2 /);
});

Deno.test("the format is chosen by the address", () => {
  const id = "a1b2c3d4e5f6g7h8i9j0k1l2m3";
  const known: [string, string][] = [
    ["https://hooks.slack.com/services/T0/B0/x", "slack"],
    ["https://hooks.slack-gov.com/services/T0/B0/x", "slack"],
    ["https://chat.example.com/hooks/" + id, "mattermost"],
    ["https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers", "teams"],
    ["https://default0.1.environment.api.powerplatform.com:443/powerautomate/x", "teams"],
    ["https://contoso.webhook.office.com/webhookb2/x", "teams"],
    ["https://discord.com/api/webhooks/1/x", "discord"],
    ["https://discord.com/api/webhooks/1/x/slack", "slack"],
    ["https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t", "google-chat"],
    ["https://ntfy.sh/topic", "ntfy"],
    ["https://hooks.example.com/rekey", "rekey"],
    ["https://hooks.slack.com.example.com/services/x", "rekey"],
  ];
  for (const [url, format] of known) assert.equal(formatFor(new URL(url)), format, url);
});

Deno.test("of a refusal its text is shown, bounded, and nothing of the address anywhere", async () => {
  using box = await initialised();
  const answers: [(request: Request) => BodyInit, RegExp][] = [
    [() => "no_service", /status 403, it says: no_service/],
    [
      ({ url }) => `Cannot POST ${new URL(url).pathname} of ${url}`,
      /it says: Cannot POST \[address\]/,
    ],
    [() => "\x1b[31mred\x00\u202e bad", /it says: \\u\{1b\}\[31mred\\u\{0\}\\u\{202e\} bad/],
    [() => "<html><style>p{}</style><h1>Gone</h1></html>", /it says: Gone/],
    [() => "x".repeat(5_000_000), /it says: x{200}…/],
    [() => Uint8Array.of(0xff, 0xfe), /status 403/],
    [() => "", /status 403/],
  ];
  for (const [answer, expected] of answers) {
    await using server = refusing(403, answer);
    const file = join(box.home, "addresses");
    Deno.writeTextFileSync(file, `# ours\n${server.url}\n\n`, { mode: 0o600 });
    const args = ["--notify-url-file", file, "--notify-format", "slack", "--json"];
    const { code, stdout, stderr } = await box.run([...ROTATE, ...args]);
    assert.equal(code, 0, stderr);
    assert.match(
      JSON.parse(stderr.trim().split("\n").find((line) => line.includes("deliver"))!)
        .warning ?? stderr,
      expected,
    );
    const { stdout: log } = await box.run(["audit", "list", "--json"]);
    for (const text of [stdout, stderr, log]) assert.ok(!text.includes(server.token), text);
    assert.equal(server.posts.length, 1);
  }
});

Deno.test("an address that cannot be used is refused without being shown", async () => {
  using box = await initialised();
  const [token, file] = ["S3CRETtoken", join(box.home, "addresses")];
  Deno.writeTextFileSync(file, "# none\n", { mode: 0o600 });
  const bad: string[][] = [
    ["--notify-url", `http://hooks.slack.com/services/${token}`],
    ["--notify-url", `https://example.com/${token}`],
    ["--notify-url", `https://example.com/${token}`, "--notify-format", "irc"],
    ["--notify-url-file", file],
    ["--notify-url-file", join(box.home, "none")],
  ];
  for (const args of bad) {
    const { code, stderr } = await box.run([...ROTATE, ...args]);
    assert.equal(code, 2, stderr);
    assert.ok(!stderr.includes(token), stderr);
  }
  assert.equal(await versionOf(box), 1);
});
