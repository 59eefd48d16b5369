#!/bin/bash
# Somebody with finch (libpurple, as Pidgin) in tmux: the certificate that the server
# made is asked about once, not at the second start; by STARTTLS and by direct TLS; a
# message comes in from perl's sendxmpp, by both doors as well. A wrong password
# doesn't get in with either.
#
# Usage: finch.sh DOMAIN C2S_PORT C2S_TLS_PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2
set -eu
[ $# = 8 ] || { sed -n 2,7p "$0"; exit 2; }
domain=$1 starttls=$2 tls=$3 certificate=$4 jid1=$5 password1=$6 jid2=$7 password2=$8
export LC_ALL=C.UTF-8 TERM=screen
dir=$(mktemp -d)
socket=$dir/tmux
tm() { tmux -f /dev/null -S "$socket" "$@"; }
trap 'tm kill-server 2>/dev/null || true; sleep 0.2; rm -rf "$dir"' EXIT

finch --version | sed 's/^/  /'
dpkg-query -W -f "  sendxmpp \${Version}\n" sendxmpp

# finch_as PASSWORD PORT SECURITY starts finch as the second user.
finch_as() {
	tm kill-server 2>/dev/null || true
	mkdir -p "$dir/purple"
	cat >"$dir/purple/accounts.xml" <<-EOF
		<?xml version='1.0' encoding='UTF-8' ?>
		<account version='1.0'><account><protocol>prpl-jabber</protocol><name>$jid2/finch</name><password>$1</password>
		<settings><setting name='connect_server' type='string'>$domain</setting><setting name='port' type='int'>$2</setting>
		<setting name='connection_security' type='string'>$3</setting></settings>
		<settings ui='gnt-purple'><setting name='auto-login' type='bool'>1</setting></settings></account></account>
	EOF
	tm new-session -d -s finch -x 140 -y 40 "env HOME='$dir' finch -c '$dir/purple' 2>'$dir/debug'"
}

# reads TEXT waits until TEXT is on the screen.
reads() {
	for _ in $(seq 150); do
		tm capture-pane -p -t finch 2>/dev/null | grep -qF -- "$1" && return
		sleep 0.1
	done
	echo "  finch: never read: $1"
	tm capture-pane -p -t finch || true
	tail -n 20 "$dir/debug" || true
	exit 1
}

# sends TEXT PASSWORD PORT OPTION… sends with perl's sendxmpp as the first user.
sends() {
	local text=$1 password=$2 port=$3
	shift 3
	echo "$text" | HOME=$dir timeout 20 sendxmpp -u "${jid1%@*}" -j "$domain:$port" -o "$domain" -p "$password" --tls-ca-path "$certificate" "$@" "$jid2"
}

finch_as not-the-password "$starttls" require_tls
reads "SSL Certificate Verification"
for _ in $(seq 20); do # it may be behind the list of buddies
	tm capture-pane -p -t finch | grep -qF "Accept" || break
	tm send-keys -t finch Enter
	sleep 0.5
	tm capture-pane -p -t finch | grep -qF "Accept" && tm send-keys -t finch M-n
done
reads "until you correct the error"
echo "  finch: asks about the certificate; a wrong password is refused"
for door in "$starttls require_tls" "$tls old_ssl"; do
	finch_as "$password2" $door
	text="by the door ${door#* } <&> ☂"
	case $door in
	*require_tls) sends "$text" "$password1" "$starttls" -t ;;
	*old_ssl) sends "$text" "$password1" "$tls" --ssl ;;
	esac
	reads "$text"
	echo "  finch: $text"
done
if sends x not-the-password "$starttls" -t >"$dir/refused" 2>&1; then
	echo "  sendxmpp: a wrong password got in"
	cat "$dir/refused"
	exit 1
fi
grep -q not-authorized "$dir/refused"
echo "  sendxmpp: a wrong password is refused"
