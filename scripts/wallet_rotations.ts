/** `deno task wallet-rotations [TIMES] [WALLET]`: rotates with a wallet, and reports failures and warnings. */
import { rotateOften } from "../tests/support/keyring/durability.ts";
import type { WalletName } from "../tests/support/keyring/wallets/wallet.ts";
import { WalletBox } from "../tests/support/keyring/wallets/wallet_box.ts";

const [times = "500", name = "kwallet"] = Deno.args;
await using box = await WalletBox.start(name as WalletName);
const { code, stderr } = await box.run(["init"]);
const disturbed = code === 0 ? await rotateOften(box, Number(times)) : [stderr];
// deno-lint-ignore no-console
console.log(
  [...disturbed, `${times} rotations with ${name}: ${disturbed.length} disturbed`].join("\n"),
);
if (disturbed.length > 0) Deno.exitCode = 1;
