#!/usr/bin/env bash
# jose 1.11.5 for Erlang (Debian, erlang-jose 1.11.5-1) signs a JWT with an HMAC secret and without an `alg` of the caller's.
#
# Guessed: the default is HS256 for every secret, as in PyJWT, jsonwebtoken, ruby-jwt and Mojo::JWT.
# Seen: it is HS256 for a secret of less than 48 bytes, HS384 below 64, and HS512 from there on. So a program that signs well goes over
# to another algorithm when its secret is replaced by a longer one, and verifiers that allow HS256 alone refuse all
# that it makes. The `alg` in a JWK, or the one that the caller gives, comes first.
# On Debian 12; Erlang is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
command -v erlc >/dev/null || apt-get install -y -qq --no-install-recommends erlang-base erlang-crypto erlang-public-key erlang-dev >/dev/null
apt-get -o APT::Sandbox::User=root download -qq erlang-jose=1.11.5-1 erlang-jiffy
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >signs.erl <<'ERL'
-module(signs).
-export([main/0]).

alg(Key) ->
    {_, Token} = jose_jws:compact(jose_jwt:sign(Key, #{<<"sub">> => <<"alice">>})),
    {_, #{<<"alg">> := Alg}} = jose_jws:to_map(jose_jwt:peek_protected(Token)),
    Alg.

main() ->
    Secrets = [{Size, binary:copy(<<"x">>, Size)} || Size <- [32, 43, 47, 48, 63, 64, 128]],
    [io:format("~b bytes: ~s~n", [Size, alg(jose_jwk:from_oct(Secret))]) || {Size, Secret} <- Secrets],
    {_, Map} = jose_jwk:to_map(jose_jwk:from_oct(binary:copy(<<"x">>, 64))),
    Named = Map#{<<"alg">> => <<"HS256">>},
    io:format("64 bytes in a JWK with alg HS256: ~s~n", [alg(jose_jwk:from_map(Named))]),
    io:format("the same with use sig: ~s~n", [alg(jose_jwk:from_map(Named#{<<"use">> => <<"sig">>}))]),
    halt().
ERL
erlc signs.erl
erl -noshell -pa unpacked/usr/lib/erlang/lib/*/ebin -s signs main | tee seen
diff seen - <<'SEEN'
32 bytes: HS256
43 bytes: HS256
47 bytes: HS256
48 bytes: HS384
63 bytes: HS384
64 bytes: HS512
128 bytes: HS512
64 bytes in a JWK with alg HS256: HS512
the same with use sig: HS256
SEEN
