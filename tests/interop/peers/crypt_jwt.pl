use strict;
use warnings;

use Crypt::JWT qw(encode_jwt decode_jwt);
use JSON qw(decode_json encode_json);
use MIME::Base64 qw(decode_base64);

my ($mode, $alg) = @ARGV;
my $ask = decode_json(do { local $/; <STDIN> });
my $key = $ask->{form} eq 'raw' ? decode_base64($ask->{key}) : $ask->{key};
if ($mode eq 'sign') {
    print encode_jwt(payload => $ask->{claims}, key => $key, alg => $alg), "\n";
    exit 0;
}
my $claims = eval { decode_jwt(token => $ask->{token}, key => $key, accepted_alg => $alg) };
if (defined $claims) {
    print encode_json($claims), "\n";
} elsif ($@ =~ /^JW[ST]: /) {
    print STDERR "refused: $@";
    exit 1;
} else {
    die $@;
}
