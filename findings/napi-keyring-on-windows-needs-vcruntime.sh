#!/usr/bin/env bash
# Where an addon and its runtime meet on Windows: @napi-rs/keyring 2.1.2 (npm) in deno.exe of @deno/win32-x64 2.9.6 (npm).
#
# Guessed: both are Rust for the same target, so that the addon needs no library that deno.exe does not bring or need.
# Seen: deno.exe has Microsoft's C runtime inside itself, and the addon imports VCRUNTIME140.dll, on all three processors. On a
# Windows without the Visual C++ Redistributable Deno runs and the addon does not load; with Wine, which brings that library,
# nothing is noticed.
set -euo pipefail
shopt -s nullglob
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
cat >imports.cjs <<'JS'
// The import table of a PE file: names of the libraries that its loader looks for.
const file = require("node:fs").readFileSync(process.argv[2]);
const header = file.readUInt32LE(0x3c) + 4;
const optional = header + 20;
const wide = file.readUInt16LE(optional) === 0x20b;
const sections = optional + file.readUInt16LE(header + 16);
const inFile = (address) => {
  for (let at = sections; ; at += 40) {
    const from = file.readUInt32LE(at + 12);
    if (address >= from && address < from + file.readUInt32LE(at + 16)) return address - from + file.readUInt32LE(at + 20);
  }
};
const names = [];
let at = inFile(file.readUInt32LE(optional + (wide ? 120 : 104)));
for (; file.readUInt32LE(at + 12) !== 0; at += 20) {
  const name = inFile(file.readUInt32LE(at + 12));
  names.push(file.toString("latin1", name, file.indexOf(0, name)));
}
console.log(process.argv[3], names.includes("VCRUNTIME140.dll") ? "needs VCRUNTIME140.dll" : "does not need it");
JS
for package in @napi-rs/keyring-win32-{x64,ia32,arm64}-msvc@2.1.2 @deno/win32-x64@2.9.6; do
  rm -rf package && tar -xzf "$(npm pack --silent --ignore-scripts "$package")"
  node imports.cjs package/*.{node,exe} "${package#@}"
done | tee seen
diff seen - <<'SEEN'
napi-rs/keyring-win32-x64-msvc@2.1.2 needs VCRUNTIME140.dll
napi-rs/keyring-win32-ia32-msvc@2.1.2 needs VCRUNTIME140.dll
napi-rs/keyring-win32-arm64-msvc@2.1.2 needs VCRUNTIME140.dll
deno/win32-x64@2.9.6 does not need it
SEEN
