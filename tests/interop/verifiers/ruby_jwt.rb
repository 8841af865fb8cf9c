require "json"
require "jwt"
require "net/http"

$stdout.sync = true
url, seconds = ARGV
fetched = 0
keys = nil
# As its README shows: the set is fetched again for a kid that is not in it, but not more often than that.
loader = lambda do |options|
  keys = nil if options[:kid_not_found] && fetched < Time.now.to_f - seconds.to_f
  keys ||= begin
    fetched = Time.now.to_f
    JSON.parse(Net::HTTP.get(URI(url)))
  end
end
$stdin.each_line(chomp: true) do |token|
  JWT.decode(token, nil, true, algorithms: %w[ES256 RS256], jwks: loader)
  puts "accepted"
rescue JWT::DecodeError => e
  puts "refused: #{e.message}"
end
