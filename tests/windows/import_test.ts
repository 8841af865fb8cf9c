import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { SignJWT } from "jose";
import type { WindowsBox } from "../support/windows/box.ts";
import { onWindows } from "../support/windows/tests.ts";

const SECRET = "correct horse battery staple, twice over";
const LINES = `# of the application\r\nPORT=3000\r\nJWT_SECRET="${SECRET}"\r\n`;

async function imports(box: WindowsBox, args: string[], file?: string | Uint8Array, env = {}) {
  if (file !== undefined) Deno.writeFileSync(join(box.home, ".env"), Buffer.from(file));
  const ended = await box.run(["import", "--alg", "HS256", ...args], { env });
  assert.equal(ended.code, 0, ended.stderr);
  const key = new TextEncoder().encode(SECRET);
  const old = await new SignJWT({ sub: "old" }).setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h").sign(key);
  assert.equal((await box.json("verify", old)).valid, true);
}

onWindows("the secret of an .env file with Windows' line ends is imported", async (box) => {
  await imports(box, ["--file", ".env", "--name", "JWT_SECRET"], LINES);
  await box.json("rotate", "--force", "--grace", "1h");
  assert.equal((await box.json("status")).version, 2);
});

onWindows(
  "a file of PowerShell's is imported in UTF-8, and refused by name in UTF-16",
  async (box) => {
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(LINES, "utf16le")]);
    Deno.writeFileSync(join(box.home, "utf16.env"), utf16);
    const refused = await box.run([
      "import",
      "--file",
      box.path("utf16.env"),
      "--name",
      "JWT_SECRET",
    ]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^error: [^\n]*UTF-16\nhint: [^\n]*PowerShell[^\n]*\n$/);
    await imports(box, ["--file", box.path(".env"), "--name", "JWT_SECRET"], `\ufeff${LINES}`);
  },
  ["keyring"],
);

onWindows("a secret in the environment is imported", async (box) => {
  await imports(box, ["--from-env", "JWT_SECRET"], undefined, { JWT_SECRET: SECRET });
}, ["database"]);
