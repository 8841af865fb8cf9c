import type { ProviderKind } from "../../../src/store/keyring/secret_service/provider.ts";
import type { Saving } from "../../../src/store/keyring/secret_service/saving.ts";
import { FakeKeyring } from "./fake_keyring.ts";

/** A keyring that acknowledges what it has not saved, and whose program can end after any call. */
export class ForgetfulKeyring extends FakeKeyring {
  kind: ProviderKind = "other";
  /** Whether the bus tells who it is. */
  isKnown = true;
  /** Whether its program ends when it is told to save next. */
  endsAtSave = false;
  #saved = new Map<string, string>();
  #run = 1;

  /** @param obeys whether it saves what it has when it is told to. */
  constructor(public obeys: boolean) {
    super();
  }

  /** It saves by itself, as it does now and then. */
  save(): void {
    this.#saved = new Map(this.items);
  }

  /** Its program ends and is started again: what was not saved is gone. */
  restart(): void {
    this.items.clear();
    for (const [account, value] of this.#saved) this.items.set(account, value);
    this.#run++;
  }

  saving(): Saving {
    const provider = () => {
      const incarnation = `run ${this.#run}`;
      const found = { kind: this.kind, pid: 1, name: ":1.1", incarnation };
      return Promise.resolve(this.isKnown ? found : undefined);
    };
    return {
      provider,
      savesOnDemand: () => this.obeys,
      save: async ({ incarnation }) => {
        if (this.endsAtSave) this.restart();
        this.endsAtSave = false;
        if (!this.obeys || (await provider())?.incarnation !== incarnation) return false;
        this.save();
        return true;
      },
    };
  }
}
