import type { Consumer, Verdict } from "./consumer.ts";

/** Clients that log in one after the other, without a break, with tokens that are valid. */
export class Logins implements AsyncDisposable {
  /** How many ended in which way, with a token that was valid all the time. */
  readonly verdicts: Record<Verdict, number> = { accepted: 0, refused: 0, unavailable: 0 };
  readonly #valid: string[];
  readonly #errors: unknown[] = [];
  #over = false;
  readonly #clients: Promise<void>[];

  constructor(private readonly consumer: Consumer, token: string, clients = 4) {
    this.#valid = [token];
    const note = (error: unknown) => void this.#errors.push(error);
    this.#clients = Array.from({ length: clients }, (_, at) => this.#client(at).catch(note));
  }

  /** From now on this token is used too. */
  add(token: string): void {
    this.#valid.push(token);
  }

  /** From now on this token is not used any more; what is under way with it counts no more. */
  remove(token: string): void {
    this.#valid.splice(this.#valid.indexOf(token), 1);
  }

  async #client(at: number): Promise<void> {
    for (let turn = at; !this.#over; turn++) {
      const token = this.#valid[turn % this.#valid.length]!;
      const verdict = await this.consumer.answer(token);
      if (this.#valid.includes(token)) this.verdicts[verdict]++;
    }
  }

  /** Ends them. @throws what went wrong. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#clients);
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
