#!/bin/bash
# Drives the built server with real clients: slixmpp, go-sendxmpp, profanity,
# mcabber, finch and perl's sendxmpp from Debian, xmpp.js by npm, mellium's and
# xdg-go's SCRAM as Go modules.
#
# It installs what it needs (as root, by apt-get; by npm into its folder), builds the server, starts it
# on free ports in a folder of its own and runs each scenario with accounts of
# its own. The last line is "N passed, N failed"; the exit status is not 0 if
# anything failed or couldn't be installed. WEIR_BINARY names a server that is
# built already.
set -u
cd "$(dirname "$0")/../.."
here=integration/interop
export DEBIAN_FRONTEND=noninteractive
passed=0 failed=0

summary() {
	echo "$passed passed, $failed failed"
	[ $failed = 0 ]
}

die() {
	echo "INTEROP CAN'T RUN: $*" >&2
	failed=$((failed + 1))
	summary
	exit 1
}

# install gets Debian's packages where their commands are missing.
install() {
	local missing=()
	command -v go-sendxmpp >/dev/null || missing+=(go-sendxmpp)
	command -v profanity >/dev/null || missing+=(profanity)
	command -v mcabber >/dev/null || missing+=(mcabber)
	command -v finch >/dev/null || missing+=(finch)
	command -v sendxmpp >/dev/null || missing+=(sendxmpp)
	command -v tmux >/dev/null || missing+=(tmux)
	command -v node >/dev/null || missing+=(nodejs)
	command -v npm >/dev/null || missing+=(npm)
	/usr/bin/python3 -c 'import slixmpp' 2>/dev/null || missing+=(python3-slixmpp)
	[ ${#missing[@]} = 0 ] && return
	echo "installing ${missing[*]}"
	[ "$(id -u)" = 0 ] || die "not root, and ${missing[*]} must be installed (apt-get install ${missing[*]})"
	command -v apt-get >/dev/null || die "no apt-get here to install ${missing[*]}"
	apt-get update -q </dev/null >"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log"; die "apt-get update failed"; }
	apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null >>"$work/apt.log" 2>&1 ||
		{ tail -5 "$work/apt.log"; die "apt-get couldn't install ${missing[*]}"; }
}

# npm_install gets xmpp.js of the version that package.json names.
npm_install() {
	mkdir "$work/js"
	cp $here/package.json $here/xmppjs_*.mjs "$work/js"
	(cd "$work/js" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts </dev/null >"$work/npm.log" 2>&1) ||
		{ tail -5 "$work/npm.log"; die "npm couldn't install what $here/package.json names"; }
}

work=$(mktemp -d)
server=
cleanup() {
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

install
npm_install
if [ -n "${WEIR_BINARY:-}" ]; then
	weir=$WEIR_BINARY
else
	weir=$work/weir
	go build -o "$weir" ./cmd/weir || die "the server doesn't build"
fi

# Each scenario has two accounts of its own, NAME1 and NAME2.
scenarios=(slixmpp_starttls slixmpp_tls slixmpp_carbons slixmpp_component go_sendxmpp profanity mcabber finch xmppjs)
for s in "${scenarios[@]}"; do
	echo "${s}1@localhost password-of-${s}1"
	echo "${s}2@localhost password-of-${s}2"
done >"$work/accounts"
"$weir" user add --data "$work/data" --from "$work/accounts" </dev/null || die "accounts can't be made"

secret=$(head -c 18 /dev/urandom | base64)
echo "echo.localhost $secret" >"$work/components"
chmod 600 "$work/components"
WEIR_COMPONENT_SECRET_FILE=$work/components "$weir" serve --data "$work/data" --domain localhost --c2s 127.0.0.1:0 --c2s-tls 127.0.0.1:0 --component 127.0.0.1:0 >"$work/out" 2>"$work/log" </dev/null &
server=$!

# port NAME prints the port of a listener once the server has told it.
port() {
	for _ in $(seq 100); do
		sed -n "s/^listening $1 .*:\([0-9][0-9]*\)\$/\1/p" "$work/out" | grep -m1 . && return
		kill -0 $server 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}
starttls=$(port c2s) && tls=$(port c2s-tls) || { cat "$work/out" "$work/log"; die "the server didn't start"; }
certificate=$(grep -rl --include='*.pem' --include='*.crt' 'BEGIN CERTIFICATE' "$work/data" | head -1)
[ -n "$certificate" ] || die "no certificate in the data folder"

# scenario NAME COMMAND… runs one and counts it.
scenario() {
	local name=$1 begin=$SECONDS
	shift
	echo "== $name"
	if timeout 180 "$@" </dev/null; then
		passed=$((passed + 1))
		echo "ok   $name ($((SECONDS - begin)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL $name ($((SECONDS - begin)) s)"
	fi
	if ! kill -0 $server 2>/dev/null; then
		tail -40 "$work/log"
		die "the server ended during $name"
	fi
}

# who NAME sets the arguments for the two accounts of a scenario.
who() { people=("${1}1@localhost" "password-of-${1}1" "${1}2@localhost" "password-of-${1}2"); }

who slixmpp_starttls
scenario "slixmpp with STARTTLS" /usr/bin/python3 $here/slixmpp_client.py 127.0.0.1 "$starttls" "$certificate" "${people[@]}" starttls
who slixmpp_tls
scenario "slixmpp with direct TLS" /usr/bin/python3 $here/slixmpp_client.py 127.0.0.1 "$tls" "$certificate" "${people[@]}" tls
who slixmpp_carbons
scenario "slixmpp on two devices, with carbons" /usr/bin/python3 $here/slixmpp_carbons.py 127.0.0.1 "$starttls" "$certificate" "${people[@]}"
who slixmpp_component
scenario "slixmpp as a component" /usr/bin/python3 $here/slixmpp_component.py 127.0.0.1 "$starttls" "$certificate" "${people[@]:0:2}" "$(port component)" echo.localhost "$secret"
who go_sendxmpp
scenario "go-sendxmpp" $here/sendxmpp.sh 127.0.0.1 "$starttls" "$tls" "$certificate" "${people[@]}"
who profanity
scenario "profanity in tmux" $here/profanity.sh 127.0.0.1 "$starttls" "${people[@]}"
who mcabber
scenario "mcabber in tmux" $here/mcabber.sh 127.0.0.1 "$starttls" "$tls" "${people[@]}"
who finch
scenario "finch in tmux, and perl's sendxmpp" $here/finch.sh localhost "$starttls" "$tls" "$certificate" "${people[@]}"
who xmppjs
scenario "xmpp.js" env NODE_EXTRA_CA_CERTS="$certificate" node "$work/js/xmppjs_client.mjs" "$starttls" "$tls" "${people[@]}"
scenario "slixmpp resumes after kill -9, and reads the archive" $here/resume.sh "$weir" slixmpp_resume /usr/bin/python3 $here/slixmpp_resume.py
scenario "xmpp.js resumes after kill -9" $here/resume.sh "$weir" xmppjs_resume node "$work/js/xmppjs_resume.mjs"
scenario "mellium and xdg-go with channel binding" env WEIR_BINARY="$weir" go test -count=1 ./$here

# The server ends in order, and nothing went wrong inside it meanwhile.
kill -TERM $server
wait $server
status=$?
server=
if [ $status = 0 ] && ! grep -qE 'level=ERROR|panic|DATA RACE' "$work/log"; then
	passed=$((passed + 1))
	echo "ok   the server stopped in order, without an error in its log"
else
	failed=$((failed + 1))
	echo "FAIL the server's end: status $status; its log:"
	grep -E 'level=ERROR|panic|DATA RACE' "$work/log" | head -20
	tail -5 "$work/log"
fi
summary
