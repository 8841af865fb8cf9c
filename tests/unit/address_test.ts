import assert from "node:assert/strict";
import { countedAddress } from "../../src/http/host_names.ts";

Deno.test("attempts are counted by address, however a proxy writes it", () => {
  const same: [string, string[]][] = [
    ["1.2.3.4", ["1.2.3.4", "1.2.3.4:5001", "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"]],
    ["2001:db8:0:1::/64", [
      "2001:db8:0:1::1",
      "2001:0db8:0000:0001::ffff",
      "[2001:db8:0:1::7]:443",
      "2001:db8:0:1:aaaa:bbbb:cccc:dddd",
      "2001:DB8:0:1::1%eth0",
    ]],
    ["0:0:0:0::/64", ["::1", "::"]],
  ];
  for (const [wanted, texts] of same) {
    for (const text of texts) assert.equal(countedAddress(text), wanted, text);
  }
  for (const text of ["", "unknown", "1.2.3.4.5", "1.2.3", "::1::", "example.com", "1.2.3.4:x"]) {
    assert.equal(countedAddress(text), undefined, text);
  }
});
