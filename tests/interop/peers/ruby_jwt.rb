require "json"
require "jwt"

mode, alg = ARGV
ask = JSON.parse($stdin.read)
key = ask["form"] == "raw" ? ask["key"].unpack1("m0") : ask["key"]
if mode == "sign"
  puts JWT.encode(ask["claims"], key, alg)
else
  begin
    puts JSON.generate(JWT.decode(ask["token"], key, true, algorithm: alg).first)
  rescue JWT::DecodeError => error
    warn "refused: #{error.message}"
    exit 1
  end
end
