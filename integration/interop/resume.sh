#!/bin/bash
# A server of its own for a client that resumes: it is killed (SIGKILL) and
# started again on the same data and port whenever the client says "kill".
#
# Usage: resume.sh WEIR NAME COMMAND…
#
# COMMAND gets as arguments HOST C2S_PORT CERTIFICATE JID1 PASSWORD1 JID2
# PASSWORD2, and the certificate in NODE_EXTRA_CA_CERTS.
set -eu
[ $# -ge 3 ] || { sed -n 2,8p "$0"; exit 2; }
weir=$1 name=$2
shift 2
dir=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
printf '%s\n' "${name}1@localhost password1" "${name}2@localhost password2" >"$dir/accounts"
"$weir" user add --data "$dir/data" --from "$dir/accounts" >/dev/null

# start starts the server and waits until it listens.
port=0
start() {
	"$weir" serve --data "$dir/data" --domain localhost --c2s "127.0.0.1:$port" --c2s-tls 127.0.0.1:0 >"$dir/out" 2>>"$dir/log" &
	server=$!
	for _ in $(seq 300); do
		port=$(sed -n 's/^listening c2s .*:\([0-9][0-9]*\)$/\1/p' "$dir/out")
		[ -n "$port" ] && return
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "  the server didn't start"
	tail -20 "$dir/log"
	exit 1
}
start
certificate=$(grep -rl --include='*.pem' --include='*.crt' 'BEGIN CERTIFICATE' "$dir/data" | head -1)
export NODE_EXTRA_CA_CERTS=$certificate
kills=0
coproc client { "$@" 127.0.0.1 "$port" "$certificate" "${name}1@localhost" password1 "${name}2@localhost" password2 2>&1; }
pid=$client_PID
while read -r line; do
	if [ "$line" != kill ]; then
		echo "  ${line#  }"
		continue
	fi
	kill -9 "$server"
	wait "$server" 2>/dev/null || true
	start
	kills=$((kills + 1))
done <&"${client[0]}"
status=0
wait "$pid" || status=$?
echo "  the server was killed $kills times"
if grep -E 'level=ERROR|panic|DATA RACE' "$dir/log"; then status=1; fi
exit $status
