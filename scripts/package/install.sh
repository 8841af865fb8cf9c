#!/bin/sh
# Installs rekey from a release: a folder, or the address of one, with the file SHA256SUMS in it. What does not have the
# hash that stands there is not installed. POSIX sh; needs sha256sum, shasum or openssl, and curl or GNU wget for an address.
set -eu

usage='Usage: sh install.sh --from FOLDER_OR_URL [--to FOLDER] [--version VERSION]

  --from     where the files of a release are: a folder, or an https:// address
  --to       where to put rekey (default: /usr/local/bin as root, else ~/.local/bin)
  --version  which version, where there are several'

work='' made=''

fail() {
  printf 'Failed: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf 'Hint: %s\n' "$2" >&2
  exit "${3-1}"
}

clean_up() {
  [ -z "$work" ] || rm -rf "$work"
  [ -z "$made" ] || rmdir "$made" 2>/dev/null || true
}

# What this machine's files are called.
target() {
  case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) fail "rekey for $(uname -s) is not installed by this script" \
      'On Windows unpack the .zip after comparing its hash (Get-FileHash) with SHA256SUMS' ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "there is no rekey for processors of the kind $(uname -m)" ;;
  esac
  printf '%s-%s' "$system" "$machine"
}

# Whoever is on the way of plain http could exchange a file and its hash.
check_address() {
  case $1 in
    *@*) fail "cannot install from $1: name the address without a user" ;;
    https://* | http://127.0.0.1[:/]* | http://localhost[:/]* | http://\[::1\][:/]*) ;;
    *://*) fail "cannot install from $1: only https:// is safe on the way" ;;
  esac
}

# fetch NAME: copies a file of the release into the work folder.
fetch() {
  case $from in
    http://*) download "$1" http ;;
    https://*) download "$1" https ;;
    *)
      [ -f "$from/$1" ] || fail "there is no $1 in $from" 'Name the folder with the files of the release'
      cp -- "$from/$1" "$work/$1" || fail "cannot copy $1 to $to" 'Is the disk full?'
      ;;
  esac
}

# Settings of the user's own could allow what is forbidden here.
download() {
  if command -v curl >/dev/null; then
    curl -q --fail --silent --show-error --location --globoff --proto "=$2" --proto-redir "=$2" \
      --output "$work/$1" -- "$from/$1" || fail "cannot download $from/$1" 'Is the address right, and the disk not full?'
  elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    wget --no-config --quiet --max-redirect=0 --output-document="$work/$1" -- "$from/$1" ||
      fail "cannot download $from/$1" 'Is the address right, without a redirection, and the disk not full?'
  else
    fail 'there is neither curl nor GNU wget' 'Download the files yourself, and name their folder with --from'
  fi
}

# The lines of SHA256SUMS, however it was written: Windows ends lines with CR LF, and has hashes in capitals; * marks binary.
listed() { awk '{ sub(/\r$/, ""); sub(/^\*/, "", $2); print tolower($1), $2 }' "$work/SHA256SUMS"; }

# The one file for this machine that SHA256SUMS lists.
choose() {
  names=$(listed | awk -v end="-$1" '
    $2 ~ /^rekey-[0-9][0-9A-Za-z.+~]*-[a-z]+-[a-z0-9]+$/ && substr($2, length($2) - length(end) + 1) == end { print $2 }
  ')
  [ -z "$version" ] || names=$(printf '%s\n' "$names" | grep -Fx -- "rekey-$version-$1" || true)
  case $names in
    '') fail "SHA256SUMS lists no rekey${version:+ $version} for $1" ;;
    *'
'*) fail "SHA256SUMS lists several: $(printf '%s' "$names" | tr '\n' ' ')" 'Choose one with --version' ;;
  esac
  printf '%s' "$names"
}

find_hasher() {
  if command -v sha256sum >/dev/null; then hasher=sha256sum
  elif command -v shasum >/dev/null; then hasher='shasum -a 256'
  elif command -v openssl >/dev/null; then hasher='openssl dgst -sha256 -r'
  else fail 'there is neither sha256sum, shasum nor openssl' 'Nothing is installed without its hash being checked'
  fi
}

# shellcheck disable=SC2086 # The hasher has arguments.
hash_of() { $hasher <"$1" | cut -d ' ' -f 1; }

verify() {
  expected=$(listed | awk -v name="$1" '$2 == name { print $1 }')
  case $expected in
    *[!0-9a-f]*) fail "the line for $1 in SHA256SUMS is not one hash" ;;
  esac
  [ "${#expected}" = 64 ] || fail "the line for $1 in SHA256SUMS is not one hash"
  found=$(hash_of "$work/$1")
  [ "$found" = "$expected" ] || fail "$1 has the hash $found, and SHA256SUMS says $expected: it is not installed" \
    'Download it again; if it stays so, tell whoever gave it to you'
}

# In one step: what runs keeps the file that it has, and a new start finds the old one or the new one.
put_in_place() {
  chmod 755 "$work/$1"
  said=$("$work/$1" --version 2>&1) || fail "$1 does not run here: $said" 'It needs glibc (not musl) on Linux, and macOS 11 or newer'
  mv -f "$work/$1" "$to/rekey"
  [ "$(hash_of "$to/rekey")" = "$found" ] || fail "$to/rekey is not what was put there"
  printf 'Installed rekey %s as %s/rekey\n' "$said" "$to"
}

next_steps() {
  case :$PATH: in
    *:"$to":*) ;;
    *) printf 'Add %s to PATH, or name it in full\n' "$to" ;;
  esac
  printf 'Next: rekey init, then rekey doctor. A rekey serve or exec that is running stays the old one until it is started again\n'
}

read_arguments() {
  from='' to='' version=''
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --to | --version)
        [ -n "${2-}" ] || fail "$1 needs a value" "$usage" 2
        case $2 in '~'*) fail "$1 begins with ~, which nothing has expanded" 'Write the path without quotation marks' 2 ;; esac
        case $1 in --from) from=$2 ;; --to) to=$2 ;; --version) version=$2 ;; esac
        shift 2
        ;;
      -h | --help) printf '%s\n' "$usage" && exit 0 ;;
      *) fail "there is no option $1" "$usage" 2 ;;
    esac
  done
  [ -n "$from" ] || fail 'it does not say where the release is' "$usage" 2
  check_address "$from"
  case $from in ?*/) from=${from%/} ;; esac
}

choose_folder() {
  if [ -z "$to" ]; then
    if [ "$(id -u)" = 0 ]; then to=/usr/local/bin
    elif [ -n "${HOME-}" ]; then to=$HOME/.local/bin
    else fail 'there is no home folder: HOME is not set' 'Name a folder with --to'
    fi
  fi
  [ -d "$to" ] || made=$to
  mkdir -p -- "$to" || fail "cannot make the folder $to"
  to=$(cd -- "$to" && pwd) || fail "cannot use the folder $to"
  [ ! -d "$to/rekey" ] || fail "$to/rekey is a folder"
}

main() {
  umask 022
  # It would lead to another folder of the same name.
  unset CDPATH
  read_arguments "$@"
  for_target=$(target) || exit 1
  find_hasher
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  trap 'exit 141' PIPE
  choose_folder
  # Beside its place: only within one disk is a move one step.
  work=$(mktemp -d "$to/.rekey-install.XXXXXX") || fail "cannot write to $to" 'Name another folder with --to'
  fetch SHA256SUMS
  name=$(choose "$for_target") || exit 1
  fetch "$name"
  verify "$name"
  put_in_place "$name"
  next_steps
}

# Last, and in one line: of a script that was cut off on the way nothing is run.
main "$@"
