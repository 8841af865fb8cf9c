import type { Accounts } from "../auth/accounts.ts";
import type { AuthManager } from "../auth/manager.ts";
import type { SecretManager } from "../secret/manager.ts";

/** The managers that a server works with. */
export interface Managers {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;
  readonly accounts: Accounts;
}
