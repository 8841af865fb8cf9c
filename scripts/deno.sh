# Sourced by the scripts. Defines `deno` as the pinned Deno, which needs nothing but Node.js with npm.
# Deno before 2.9 trusts only its own list of certificate authorities unless it is told otherwise.
export DENO_TLS_CA_STORE=system
export DENO_NO_UPDATE_CHECK=1
export npm_config_update_notifier=false
DENO_VERSION=2.7.11

if command -v deno >/dev/null 2>&1 && deno --version | grep -q "^deno $DENO_VERSION "; then
  DENO=$(command -v deno)
else
  DENO=$(npm exec --yes --loglevel=error --package="deno@$DENO_VERSION" -c 'command -v deno')
fi
deno() { "$DENO" "$@"; }
