#!/usr/bin/env bash
# lua-cjson 2.1.0+dfsg-2.2 (Debian) in LuaJIT, in which nginx runs Lua, and in Lua 5.1 and 5.4, with a user's number from a token's
# claims.
#
# Guessed: whole numbers up to 2^53 are the same everywhere (RFC 8259 §6), so a program that reads claims and passes them on, in
# JSON or as the text of a header, passes on the number that was there.
# Seen: the number is right while it is a number. As text, by `cjson.encode`, `tostring` or `..`, it has 14 digits: the two users
# 123456789012341 and 123456789012342 are both 1.2345678901234e+14. Lua 5.4 does so in JSON, and `tostring` writes a fraction there,
# .0. `cjson.encode_number_precision` goes up to 14. string.format("%.0f") writes all digits; in JSON it has to be a string, best
# from the issuer on.
# On Debian 12; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq lua-cjson=2.1.0+dfsg-2.2 lua5.1 lua5.4 luajit libluajit-5.1-2 libluajit-5.1-common
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
libraries=$(echo "$PWD"/unpacked/usr/lib/*-linux-gnu)
cat >try.lua <<'LUA'
local version = _VERSION:match "%d.%d"
package.cpath = arg[1] .. "/lua/" .. version .. "/?.so"
local cjson = require "cjson"
for _, text in ipairs { "1234567890123", "123456789012341", "123456789012342", "9007199254740991" } do
  local sub = cjson.decode('{"sub":' .. text .. "}").sub
  local json = cjson.encode { sub = sub }
  print(text, tostring(sub), json, string.format("%.0f", sub))
end
print("16 digits", pcall(cjson.encode_number_precision, 16))
LUA
{
  for program in luajit lua5.1 lua5.4; do
    echo "$program"
    LD_LIBRARY_PATH=$libraries "unpacked/usr/bin/$program" try.lua "$libraries"
  done
} | tee seen
diff seen - <<'SEEN'
luajit
1234567890123	1234567890123	{"sub":1234567890123}	1234567890123
123456789012341	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012341
123456789012342	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012342
9007199254740991	9.007199254741e+15	{"sub":9.007199254741e+15}	9007199254740991
16 digits	false	bad argument #1 to '?' (expected integer between 1 and 14)
lua5.1
1234567890123	1234567890123	{"sub":1234567890123}	1234567890123
123456789012341	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012341
123456789012342	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012342
9007199254740991	9.007199254741e+15	{"sub":9.007199254741e+15}	9007199254740991
16 digits	false	bad argument #1 to '?' (expected integer between 1 and 14)
lua5.4
1234567890123	1234567890123.0	{"sub":1234567890123}	1234567890123
123456789012341	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012341
123456789012342	1.2345678901234e+14	{"sub":1.2345678901234e+14}	123456789012342
9007199254740991	9.007199254741e+15	{"sub":9.007199254741e+15}	9007199254740991
16 digits	false	bad argument #1 to 'cjson.encode_number_precision' (expected integer between 1 and 14)
SEEN
