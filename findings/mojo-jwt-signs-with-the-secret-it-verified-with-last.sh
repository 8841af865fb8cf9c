#!/usr/bin/env bash
# Mojo::JWT 0.09 (Debian, libmojo-jwt-perl 0.09-1) that signs with `secret` and verifies with a JWK Set, as an application does
# that has two secrets during a rotation.
#
# Guessed: `decode` reads, and takes the key from the set "to verify the input token when matching with the JWTs `kid` field", as
# its manual says. `secret` is what the application has set, until it sets another.
# Seen: `decode` writes the key that it has found into `secret`. After one token of the former secret the same
# object signs with the former secret, under the former `kid`; and under the new `kid` too, when the application sets the
# header each time, so that no verifier takes that token. `secret` itself shows it. Use an object for each.
# On Debian 12; all goes to a temporary folder.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get -o APT::Sandbox::User=root download -qq libmojo-jwt-perl=0.09-1 libmojolicious-perl
for package in *.deb; do dpkg-deb -x "$package" unpacked; done
cat >try.pl <<'PL'
use strict; use warnings; use feature "say";
use MIME::Base64 qw(encode_base64url);
use Mojo::JWT;

my %secrets = (former => "f" x 32, current => "c" x 32);
my @keys = map { { kty => "oct", kid => $_, k => encode_base64url($secrets{$_}) } } sort keys %secrets;

# The kid of a token, and whose secret has signed it.
sub shown {
  my ($token) = @_;
  for my $name (sort keys %secrets) {
    my $reader = Mojo::JWT->new(secret => $secrets{$name});
    return "kid $reader->{header}{kid}, signed with $name" if eval { $reader->decode($token) };
  }
}

my $users = Mojo::JWT->new(secret => $secrets{former}, header => { kid => "former" }, claims => { sub => "bob" })->encode;
my $jwt = Mojo::JWT->new(secret => $secrets{current}, header => { kid => "current" }, claims => { sub => "alice" });
$jwt->add_jwkset({ keys => \@keys });
say "before: ", shown($jwt->encode);
say "read: ", $jwt->decode($users)->{sub};
say "after: ", shown($jwt->claims({ sub => "alice" })->encode);
say "with the header set: ", shown($jwt->claims({ sub => "alice" })->header({ kid => "current" })->encode);
say "secret is the ", $jwt->secret eq $secrets{former} ? "former" : "current";
PL
PERL5LIB=unpacked/usr/share/perl5 /usr/bin/perl try.pl | tee seen
diff seen - <<'SEEN'
before: kid current, signed with current
read: bob
after: kid former, signed with former
with the header set: kid current, signed with former
secret is the former
SEEN
