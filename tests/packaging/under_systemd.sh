#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Run inside a system that systemd has booted, with the package installed: the service as an operator meets it. tools/package boot
# starts it. Prints each step; the last line is "all is well" or what was not.
# shellcheck disable=SC2015,SC2016 # what fails does not return; conditions are evaluated later
set -uo pipefail

journal=/var/lib/evenkeel/journal.db
password='pa-ss word'

fail() { echo "not as expected: $*"; journalctl -u evenkeel -n 30 --no-pager -o cat; exit 1; }
step() { echo "- $*"; }
prop() { systemctl show "${2:-evenkeel.service}" -p "$1" --value; }
until_true() { for _ in {1..300}; do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done; fail "$1"; }
told() { journalctl -u "$1" "EVENKEEL_EVENT=$2" --no-pager -o cat -q; }

step "a cluster: the sandbox, with log-in"
printf '%s' "$password" >/root/password
systemd-run -q --unit=sandbox evenkeel sandbox --snapshot /root/snapshot.json --port 27017 --latency 200ms --server-version 7.0.14 \
    --orphan-delay 1s --user joe --password-file /root/password
until_true "journalctl -u sandbox -o cat -q | grep listening"

step "without a configuration it ends with 66 and stays down"
rm -f /etc/evenkeel/evenkeel.yaml $journal*
! systemctl start evenkeel 2>/dev/null || fail "started without a configuration"
[ "$(prop ExecMainStatus)" = 66 ] && [ "$(prop ActiveState)" = failed ] || fail "exit code $(prop ExecMainStatus)"

step "configured, with the URI as a credential, it starts and moves data"
sed -e 's/builtinBalancer: requireStopped/builtinBalancer: stopAndRestore/; s/ttl: 30s/ttl: 5s/; s/policy: auto/policy: size/' \
    /usr/share/doc/evenkeel/examples/evenkeel.yaml >/etc/evenkeel/evenkeel.yaml
install -m 600 /dev/null /etc/evenkeel/uri
echo 'mongodb://joe:pa-ss%20word@127.0.0.1:27017/?authSource=admin' >/etc/evenkeel/uri
mkdir -p /etc/systemd/system/evenkeel.service.d
printf '[Service]\nRestartSec=1s\nWatchdogSec=3s\n' >/etc/systemd/system/evenkeel.service.d/quick.conf # so that nobody waits long
systemctl daemon-reload
systemctl start evenkeel || fail "does not start"
until_true "told evenkeel migration.commit | grep -q commit"
[ "$(stat -c '%U %a' $journal)" = "evenkeel 640" ] || fail "journal: $(stat -c '%U %a' $journal)"
[ "$(stat -c '%U:%G %a' /run/evenkeel/control.sock)" = "evenkeel:evenkeel 660" ] || fail "socket: $(stat -c '%U:%G %a' /run/evenkeel/control.sock)"
until_true 'prop StatusText | grep -qE "moving|idle|planning"'
echo "  Status: $(prop StatusText)"

step "the password shows nowhere"
pid=$(prop MainPID)
for shown in "$(tr '\0' ' ' </proc/"$pid"/cmdline)" "$(tr '\0' ' ' </proc/"$pid"/environ)" "$(journalctl --no-pager)" \
    "$(evenkeel status --json)" "$(systemctl status evenkeel --no-pager)"; do
    case $shown in *pa-ss*) fail "the password is shown" ;; esac
done

step "the group uses the socket, others do not"
useradd -G evenkeel alice && useradd bob || fail "no users"
setpriv --reuid=alice --regid=alice --init-groups evenkeel status >/dev/null || fail "a member of the group may not ask"
setpriv --reuid=bob --regid=bob --init-groups evenkeel status >/dev/null 2>&1
[ $? = 77 ] || fail "another user may ask"

step "reload: a faulty file changes nothing, a sound one is taken"
cp /etc/evenkeel/evenkeel.yaml /root/sound.yaml
echo 'nosuch: 1' >>/etc/evenkeel/evenkeel.yaml
systemctl reload evenkeel || fail "reload"
until_true "told evenkeel service.reloadFailed | grep -q ."
cp /root/sound.yaml /etc/evenkeel/evenkeel.yaml
systemctl reload evenkeel || fail "reload"
until_true "told evenkeel service.reload | grep -q ."
[ "$(prop MainPID)" = "$pid" ] || fail "another process after the reload"

step "a pause outlives kill -9; systemd starts it again, and it takes the lease back"
evenkeel pause --reason 'a test' >/dev/null || fail "pause"
kill -9 "$pid"
until_true '[ "$(prop NRestarts)" = 1 ] && [ "$(prop ActiveState)" = active ]'
until_true 'evenkeel status | grep -q "(paused)"'
evenkeel resume >/dev/null || fail "resume"
until_true 'evenkeel status | grep -q "lease: held"'

step "one that hangs is ended by the watchdog and started again"
kill -STOP "$(prop MainPID)"
until_true '[ "$(prop NRestarts)" = 2 ] && [ "$(prop ActiveState)" = active ]'

step "stopped, it has given up the lease; another round is done by the timer's unit"
systemctl stop evenkeel && [ "$(prop ExecMainStatus)" = 0 ] || fail "stop: $(prop ExecMainStatus)"
systemctl start evenkeel-round.timer evenkeel-round.service || fail "the round failed"
[ "$(prop ExecMainStatus evenkeel-round.service)" = 0 ] || fail "round: $(prop ExecMainStatus evenkeel-round.service)"

step "the service stops the timer; a round beside it is no failure"
systemctl start evenkeel || fail "does not start again"
! systemctl -q is-active evenkeel-round.timer || fail "the timer runs beside the service"
systemctl start evenkeel-round.service || fail "a round beside the service is a failure"
until_true 'journalctl -u evenkeel-round -o cat -q | grep -q "is in use by process"'

step "without the credential's file, the configuration names the cluster"
mv /etc/evenkeel/uri /root/uri
sed -i 's#uri: mongodb://localhost:27017#uri: mongodb://127.0.0.1:1/#' /etc/evenkeel/evenkeel.yaml
systemctl restart evenkeel || fail "does not start without the credential"
until_true 'evenkeel status | grep -q "127.0.0.1:1"'
mv /root/uri /etc/evenkeel/uri

step "an upgrade starts the service anew, removing the package stops it"
old=$(prop MainPID)
dpkg --install /root/evenkeel.deb >/dev/null 2>&1 || fail "upgrade"
[ "$(prop ActiveState)" = active ] && [ "$(prop MainPID)" != "$old" ] || fail "not started anew"
dpkg --remove evenkeel >/dev/null 2>&1 || fail "remove"
! systemctl -q is-active evenkeel || fail "still runs"
echo "all is well"
