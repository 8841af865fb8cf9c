#!/usr/bin/env bash
# go-oidc 2.1.0 (Debian, golang-github-coreos-go-oidc-dev 2.1.0-2) with a JWK Set at a URL, and what that answers as `Cache-Control`.
#
# Guessed: a token with an unknown `kid` makes it fetch the set, now and then at least. When `max-age` is over the set is
# fetched again, and a key that has left it verifies nothing from then on.
# Seen: neither. Before `max-age` is over no kid makes it fetch: the tokens of a new key are refused, for an hour
# here. And with `no-store` the old set goes on to verify the tokens of the keys it has; only a token that it
# cannot verify makes it fetch. So an issuer has to show a key for `max-age` before the key signs, and a key that has left
# is accepted until a token of a new one has come.
# On Debian 12; Go is installed if it is missing, the rest goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
command -v go >/dev/null || apt-get install -y -qq --no-install-recommends golang-go >/dev/null
apt-get -o APT::Sandbox::User=root download -qq golang-github-coreos-go-oidc-dev=2.1.0-2 \
  golang-gopkg-square-go-jose.v2-dev=2.6.0-2 golang-github-pquerna-cachecontrol-dev golang-golang-x-oauth2-dev \
  golang-golang-x-net-dev golang-golang-x-crypto-dev
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >try.go <<'GO'
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	oidc "github.com/coreos/go-oidc"
	jose "gopkg.in/square/go-jose.v2"
	"gopkg.in/square/go-jose.v2/jwt"
)

var keys = map[string]crypto.Signer{}

func token(kid string) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", kid)
	signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: keys[kid]}, options)
	text, _ := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://issuer.example", Subject: "alice", Audience: jwt.Audience{"api"},
		Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).CompactSerialize()
	return text
}

func try(cacheControl string) {
	names, fetched := []string{}, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched++
		set := jose.JSONWebKeySet{}
		for _, name := range names {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: keys[name].Public(), KeyID: name, Algorithm: "RS256", Use: "sig"})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", cacheControl)
		json.NewEncoder(w).Encode(set)
	}))
	defer server.Close()
	set := oidc.NewRemoteKeySet(context.Background(), server.URL)
	verifier := oidc.NewVerifier("https://issuer.example", set, &oidc.Config{ClientID: "api"})
	verify := func(kid string) string {
		_, err := verifier.Verify(context.Background(), token(kid))
		if err != nil {
			return "refused"
		}
		return "accepted"
	}
	show := func(kid string, inSet ...string) {
		names = inSet
		result := verify(kid)
		fmt.Printf("%s: %s in the set, a token of %s: %s, fetched %d\n", cacheControl, strings.Join(names, " and "), kid, result, fetched)
	}
	show("old", "old")
	show("old", "new")
	show("new", "new")
	show("old", "new")
}

func main() {
	for _, kid := range []string{"old", "new"} {
		keys[kid], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	for _, cacheControl := range []string{"max-age=3600", "no-store"} {
		try(cacheControl)
	}
}
GO
GO111MODULE=off GOFLAGS= GOPATH=$PWD/unpacked/usr/share/gocode GOCACHE=$PWD/cache go run try.go | tee seen
diff seen - <<'SEEN'
max-age=3600: old in the set, a token of old: accepted, fetched 1
max-age=3600: new in the set, a token of old: accepted, fetched 1
max-age=3600: new in the set, a token of new: refused, fetched 1
max-age=3600: new in the set, a token of old: accepted, fetched 1
no-store: old in the set, a token of old: accepted, fetched 1
no-store: new in the set, a token of old: accepted, fetched 1
no-store: new in the set, a token of new: accepted, fetched 2
no-store: new in the set, a token of old: refused, fetched 3
SEEN
