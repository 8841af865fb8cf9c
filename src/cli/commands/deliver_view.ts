import { type DeliveryFacts, describeDeliveries } from "../../deliver/description.ts";
import type { Delivery } from "../../deliver/delivery.ts";
import { progressOf } from "../../deliver/sync.ts";
import type { Context } from "../context.ts";
import { describeSeconds, printable, table } from "../format.ts";

/** Shows all deliveries. */
export async function deliverList(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.openFresh();
  const facts = describeDeliveries(installation, await progressOf(installation));
  if (output.options.json) return facts.forEach((one) => output.line(one));
  if (facts.length === 0) return output.remark("There are no deliveries: `rekey deliver add`");
  output.table([
    ["NAME", "PRESET", "VERSION", "STATE", "PATH"],
    ...facts.map(({ name, preset, version, followed, failure, lag_seconds, path }) => [
      name,
      preset,
      String(version ?? "-"),
      followed ? "followed" : stateText(failure, lag_seconds),
      printable(path),
    ]),
  ]);
}

function stateText(failure: string | null, lag: number | null): string {
  const since = lag === null ? "" : ` for ${describeSeconds(lag)}`;
  return `${failure === null ? "behind" : "failed"}${since}`;
}

function keysText({ settings: { role }, preset: { keys } }: Delivery): string {
  if (role === "signer") return "the current one";
  return keys === 1 ? "one: a rotation is a hard cut, also with --grace" : "all that verify";
}

function probeText({ settings: { probe }, preset }: Delivery): string {
  if (probe === undefined) return preset.probe ? "the preset's" : "none: the program is not asked";
  if ("command" in probe) return probe.command;
  // A user, a password and a query are left out, as in messages.
  const url = URL.parse(probe.url);
  return url === null ? "a URL" : url.origin + url.pathname;
}

/** Shows one delivery. */
export async function deliverShow(
  { name }: { name: string },
  { secrets, output }: Context,
): Promise<void> {
  const { installation } = await secrets.openFresh();
  const progress = await progressOf(installation, [name]);
  const [facts] = describeDeliveries(installation, progress);
  const { delivery } = progress[0]!;
  const { owner, group, mode, parameters, reload, probe } = delivery.settings;
  const more = { owner, group, mode, parameters, reload: reload ?? null, probe: probe ?? null };
  const rows = [["name", name], ...settingRows(delivery), ...stateRows(facts!)];
  output.result({ ...facts, ...more }, table(rows).map(printable));
}

function settingRows(delivery: Delivery): string[][] {
  const { settings, preset } = delivery;
  const { owner, group, mode, parameters, reload } = settings;
  return [
    ["preset", `${settings.preset}: ${preset.summary}`],
    ["role", settings.role],
    ["keys", keysText(delivery)],
    ["path", settings.path],
    [
      "rights",
      `${mode ?? "private"}, owner ${owner ?? "unchanged"}, group ${group ?? "unchanged"}`,
    ],
    ...Object.entries(parameters).map(([key, value]) => ["set", `${key}=${value}`]),
    ["reload", reload ?? preset.reload_kind],
    ["probe", probeText(delivery)],
    ["connections", preset.connections],
  ];
}

function stateRows(facts: DeliveryFacts): string[][] {
  const { wanted, written, confirmed, followed_at, failed_at, failure, lag_seconds } = facts;
  return [
    ["should hold", wanted.join(", ")],
    ["written", written.join(", ") || "nothing"],
    ["confirmed", confirmed.join(", ") || "nothing"],
    ["followed", followed_at ?? "never"],
    ...lag_seconds === null ? [] : [["behind", describeSeconds(lag_seconds)]],
    ...failure === null ? [] : [["failed", `${failed_at}: ${failure}`]],
  ];
}
