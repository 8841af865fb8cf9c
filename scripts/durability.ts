/**
 * `deno task durability [ENDINGS] [WALLET]`: ends the programs that provide the keyring right after commands that write to
 * it, and reports lost values.
 */
import { endAfterEach } from "../tests/support/keyring/durability.ts";
import { type WalletName, WALLETS } from "../tests/support/keyring/wallets/wallet.ts";
import { WalletBox } from "../tests/support/keyring/wallets/wallet_box.ts";

const wanted = Number(Deno.args[0] ?? 300);
const wallets = Deno.args[1] === undefined ? WALLETS : [Deno.args[1] as WalletName];

let endings = 0;
const lost: string[] = [];
for (let round = 0; endings < wanted; round++) {
  const name = wallets[round % wallets.length]!;
  await using box = await WalletBox.start(name);
  const first = Math.floor(round / wallets.length);
  const report = await endAfterEach(box, first, wanted - endings);
  endings += report.endings;
  lost.push(...report.lost);
  report.lost.forEach(say);
}
say(`${endings} endings of ${wallets.join(", ")}: ${lost.length} lost`);
if (lost.length > 0) Deno.exit(1);

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}
