import { CostedLoad, type Requests } from "./load.ts";
import { type Goal, inTurn, type Row } from "./result.ts";
import type { Server } from "./servers.ts";

/** Name of the row with the processor time of a request, beside the row `name` with the requests a second. */
export const cost = (name: string) => `processor time of ${name}`;

/**
 * Requests a second to servers, in turn, and what each costs.
 *
 * @param asked with the names of their rows.
 * @param goals by the name of a row.
 */
export async function measured(
  asked: readonly [name: string, server: Server, requests: Requests][],
  rounds: number,
  goals: Readonly<Record<string, Goal[]>>,
): Promise<Row[]> {
  const costed = new CostedLoad();
  const contenders = asked.map(([name, { url, id }, requests]) => {
    return { name, run: () => costed.send(name, { url, ids: [id] }, requests) };
  });
  const row = (unit: string) => ([name, value]: [string, number]): Row => {
    return { name, value, unit, goals: goals[name] ?? [] };
  };
  const rates = [...await inTurn(contenders, rounds)].map(row("a second"));
  const costs = costed.medians().map(([name, value]): [string, number] => [cost(name), value]);
  return [...rates, ...costs.map(row("µs a request"))];
}
