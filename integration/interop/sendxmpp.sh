#!/bin/bash
# Messages between two users with go-sendxmpp: one listens, the other sends, with
# STARTTLS and with direct TLS. The certificate is verified.
#
# Usage: sendxmpp.sh HOST C2S_PORT C2S_TLS_PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2
set -eu
[ $# = 8 ] || { sed -n 2,6p "$0"; exit 2; }
host=$1 starttls=$2 tls=$3 jid1=$5 password1=$6 jid2=$7 password2=$8
export SSL_CERT_FILE=$4
cd "$(mktemp -d)"
export HOME=$PWD

go-sendxmpp --version | head -1 | sed 's/^/  /'
timeout 60 go-sendxmpp --listen --debug --username "$jid2" --password "$password2" --jserver "$host:$starttls" >heard 2>&1 &
listener=$!
trap 'kill $listener 2>/dev/null || true; rm -rf "$HOME"' EXIT

# heard TEXT waits until the listener shows it.
heard() {
	for _ in $(seq 150); do
		grep -qF -- "$1" heard && return
		kill -0 $listener 2>/dev/null || break
		sleep 0.1
	done
	echo "  go-sendxmpp: the listener never saw: $1"
	cat heard
	exit 1
}

heard "/go-sendxmpp" # bound
heard "<presence"    # and available: its own presence came back
echo "  go-sendxmpp: listening with STARTTLS"
echo "Hist! Romeo, & <hist> ☂" | timeout 20 go-sendxmpp --username "$jid1" --password "$password1" --jserver "$host:$starttls" "$jid2"
heard "$jid1: Hist! Romeo, & <hist> ☂"
echo "  go-sendxmpp: a message over STARTTLS was heard"
echo "by the other door" | timeout 20 go-sendxmpp --tls --username "$jid1" --password "$password1" --jserver "$host:$tls" "$jid2"
heard "$jid1: by the other door"
echo "  go-sendxmpp: a message over direct TLS was heard"
if echo x | timeout 20 go-sendxmpp --username "$jid1" --password "not-the-password" --jserver "$host:$starttls" "$jid2" >refused 2>&1; then
	echo "  go-sendxmpp: a wrong password got in"
	cat refused
	exit 1
fi
echo "  go-sendxmpp: a wrong password was refused"
