#!/bin/bash
# A person at a keyboard: profanity in tmux connects, asks for another to be a
# contact, sends, reads the answer, and quits. The other person is profanity too.
#
# Usage: profanity.sh HOST C2S_PORT JID1 PASSWORD1 JID2 PASSWORD2
set -eu
[ $# = 6 ] || { sed -n 2,6p "$0"; exit 2; }
host=$1 port=$2 jid1=$3 password1=$4 jid2=$5 password2=$6
export LC_ALL=C.UTF-8 TERM=screen
dir=$(mktemp -d)
socket=$dir/tmux
tm() { tmux -f /dev/null -S "$socket" "$@"; }
trap 'tm kill-server 2>/dev/null || true; rm -rf "$dir"' EXIT

profanity --version | head -1 | sed 's/^/  /'

# person NAME starts profanity in a window with a home of its own.
person() {
	mkdir -p "$dir/$1"
	tm new-session -d -s "$1" -x 140 -y 40 env HOME="$dir/$1" XDG_CONFIG_HOME="$dir/$1/c" XDG_DATA_HOME="$dir/$1/d" profanity -l DEBUG
}

# says NAME TEXT types a line as NAME.
says() {
	tm send-keys -t "$1" -l -- "$2"
	tm send-keys -t "$1" Enter
}

# reads NAME TEXT waits until TEXT is on NAME's screen.
reads() {
	for _ in $(seq 150); do
		tm capture-pane -p -t "$1" 2>/dev/null | grep -qF -- "$2" && return
		sleep 0.1
	done
	echo "  profanity: $1 never read: $2"
	tm capture-pane -p -t "$1" || true
	tail -n 15 "$dir/$1"/d/profanity/logs/*.log || true
	exit 1
}

# enters NAME JID PASSWORD logs in.
enters() {
	person "$1"
	reads "$1" "Type '/help' to show complete help"
	says "$1" "/connect $2 server $host port $port tls trust"
	reads "$1" "Enter password:"
	says "$1" "$3"
	reads "$1" "logged in successfully"
	echo "  profanity: $2 is in"
}

enters juliet "$jid1" "$password1"
enters romeo "$jid2" "$password2"

says romeo "/sub request $jid1"
reads juliet "Received authorization request from $jid2"
says juliet "/sub allow $jid2"
reads romeo "Subscription received from $jid1"
echo "  profanity: a request to see the other's presence was asked for and granted"
reads romeo "is online"
says juliet '/status set away "sighing"'
reads romeo "is away"
echo "  profanity: a changed presence is seen"

says juliet "/msg $jid2 wherefore art thou? ☂ & <so on>"
reads romeo 'chat message: '
says romeo "/win 2"
reads romeo "wherefore art thou? ☂ & <so on>"
says romeo "here, under the balcony"
reads juliet "here, under the balcony"
echo "  profanity: a message and its answer were read"

says juliet "/win 1"
says juliet "/ping"
reads juliet "Ping response"
says juliet "/disco info ${jid1#*@}"
reads juliet "urn:xmpp:ping"
echo "  profanity: the server answered ping and disco"

says juliet "/quit"
for _ in $(seq 100); do tm has-session -t juliet 2>/dev/null || break; sleep 0.1; done
says romeo "/win 1"
reads romeo "is offline"
echo "  profanity: an end is seen"
says romeo "/quit"
