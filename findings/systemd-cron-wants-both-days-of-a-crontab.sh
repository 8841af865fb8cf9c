#!/usr/bin/env bash
# systemd-cron 1.15.19 (Debian, systemd-cron 1.15.19-5), which makes timers of crontabs in place of a cron daemon: a line with a
# day of the month and a day of the week, as in "rotate the secret each Monday, and on the first".
#
# Guessed: the command runs when at least one of the two day fields matches, as POSIX has it for crontab, and as the
# crontab(5) of systemd-cron itself says.
# Seen: the timer's `OnCalendar` has both, and systemd wants both: the command runs on a first that is a Monday, three
# times in 2027 instead of 61. The line gives no error, and the timer shows a next run. Use two lines.
# On Debian 12; what is missing is installed, systemd-cron goes to a temporary folder and no timer is started.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
hash systemd-analyze python3 2>/dev/null || apt-get install -y -qq --no-install-recommends systemd python3 >/dev/null
apt-get -o APT::Sandbox::User=root download -qq systemd-cron=1.15.19-5
dpkg-deb -x systemd-cron_*.deb unpacked
cat >crontab <<'CRON'
0 3 1 * 1 /usr/local/bin/rotate both
0 3 * * 1 /usr/local/bin/rotate week
0 3 1 * * /usr/local/bin/rotate month
CRON
mkdir -p timers/wants
cat >generate.py <<'PY'
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import count

loader = SourceFileLoader("generator", "unpacked/lib/systemd/system-generators/systemd-crontab-generator")
generator = module_from_spec(spec_from_loader("generator", loader))
loader.exec_module(generator)
generator.TARGET_DIR, generator.TIMERS_DIR = "timers", "timers/wants"
seq = count()
for job in generator.parse_crontab("crontab", withuser=False):
    generator.generate_timer_unit(job, seq=seq)
PY
/usr/bin/python3 -B generate.py
# How often a calendar expression of systemd comes in 2027.
runs() {
  TZ=UTC SYSTEMD_COLORS=0 systemd-analyze calendar --base-time='2026-12-31 12:00:00 UTC' --iterations=400 "$1" |
    grep -c ' 2027-'
}
{
  zcat unpacked/usr/share/man/man5/crontab.5.gz | grep -o 'at least one of the two day fields'
  for timer in timers/*.timer; do
    calendar=$(sed -n 's/^OnCalendar=//p' "$timer")
    echo "$(sed -n 's/^Description=//p' "$timer"): $calendar, $(runs "$calendar") times in 2027"
  done
} | tee seen
diff seen - <<'SEEN'
at least one of the two day fields
[Timer] "0 3 1 * 1 /usr/local/bin/rotate both": Mon *-*-1 3:0:00, 3 times in 2027
[Timer] "0 3 * * 1 /usr/local/bin/rotate week": Mon *-*-* 3:0:00, 52 times in 2027
[Timer] "0 3 1 * * /usr/local/bin/rotate month": *-*-1 3:0:00, 12 times in 2027
SEEN
