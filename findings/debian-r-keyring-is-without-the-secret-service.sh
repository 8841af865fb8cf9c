#!/usr/bin/env bash
# The R package keyring 1.3.1 (Debian, r-cran-keyring 1.3.1-1) beside secret-tool 0.20.5-3, in a session with gnome-keyring.
#
# Guessed: `key_get(service, username)` reads an item with these attributes, as python-keyring does and as its manual says for
# Linux: the Secret Service is the default where it answers.
# Seen: Debian builds it without libsecret. The default is `file`, and it wants a keyring of its own "created first", while
# `has_keyring_support()` is TRUE. Asked for `secret_service` it "only works on Linux with Secret Service support". So R programs
# see nothing of the keyring; give them the secret in their environment (the backend `env` reads SERVICE:USERNAME).
# On Debian 12; what is missing is installed.
set -euo pipefail
cd "$(mktemp -d)"
trap 'cd / && rm -rf "$OLDPWD"' EXIT
/usr/bin/Rscript -e 'library(keyring)' 2>/dev/null && hash secret-tool gnome-keyring-daemon dbus-run-session 2>/dev/null ||
  apt-get install -y -qq --no-install-recommends r-cran-keyring=1.3.1-1 libsecret-tools gnome-keyring dbus >/dev/null
cat >session.sh <<'SESSION'
set -euo pipefail
echo -n password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
until secret-tool store --label=try service try username alice <<<"a secret" 2>/dev/null; do sleep 0.2; done
echo "secret-tool: $(secret-tool lookup service try username alice)"
/usr/bin/Rscript try.R
env "try:alice=from the environment" /usr/bin/Rscript -e \
  'writeLines(paste("env:", keyring::backend_env$new()$get("try", "alice")))'
SESSION
cat >try.R <<'R'
library(keyring)
said <- function(code) tryCatch(code, error = function(error) trimws(conditionMessage(error)))
writeLines(c(
  paste("default:", default_backend()$name),
  paste("supported:", has_keyring_support()),
  paste("key_get:", said(key_get("try", "alice"))),
  paste("secret_service:", said(backend_secret_service$new()$get("try", "alice")))
))
R
HOME=$PWD XDG_RUNTIME_DIR=$PWD dbus-run-session -- bash session.sh 2>/dev/null | tee seen
diff seen - <<'SEEN'
secret-tool: a secret
default: file
supported: TRUE
key_get: The 'system' keyring does not exists, create it first!
secret_service: only works on Linux with Secret Service support
env: from the environment
SEEN
