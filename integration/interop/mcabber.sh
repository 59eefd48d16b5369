#!/bin/bash
# Two people with mcabber in tmux, one by STARTTLS, the other by direct TLS: each
# asks to see the other's presence and grants it, they talk, one gives the other
# a name and a group, asks his client and the server, and finds what was said while
# she was away. A wrong password comes first.
#
# Usage: mcabber.sh HOST C2S_PORT C2S_TLS_PORT JID1 PASSWORD1 JID2 PASSWORD2
set -eu
[ $# = 7 ] || { sed -n 2,7p "$0"; exit 2; }
host=$1 starttls=$2 tls=$3 jid1=$4 password1=$5 jid2=$6 password2=$7
export LC_ALL=C.UTF-8 TERM=screen
dir=$(mktemp -d)
socket=$dir/tmux
tm() { tmux -f /dev/null -S "$socket" "$@"; }
trap 'tm kill-server 2>/dev/null || true; sleep 0.2; rm -rf "$dir"' EXIT

mcabber -V 2>&1 | head -1 | sed 's/^/  /'

# person NAME JID PASSWORD PORT DOOR starts mcabber in a window with a home of its own.
person() {
	mkdir -p "$dir/$1/.mcabber"
	chmod 700 "$dir/$1/.mcabber"
	cat >"$dir/$1/.mcabber/mcabberrc" <<-EOF
		set jid = $2
		set password = $3
		set resource = mcabber
		set disable_random_resource = 1
		set server = $host
		set port = $4
		set $5 = 1
		set ssl_ignore_checks = 1
		set roster_width = 50
		set tracelog_level = 3
		set tracelog_file = ~/trace
	EOF
	chmod 600 "$dir/$1/.mcabber/mcabberrc"
	tm new-session -d -s "$1" -x 140 -y 40 env HOME="$dir/$1" mcabber
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
	echo "  mcabber: $1 never read: $2"
	tm capture-pane -p -t "$1" || true
	tail -n 30 "$dir/$1/trace" || true
	exit 1
}

# opens NAME JID goes to the chat with JID.
opens() {
	says "$1" "/roster search $2"
	tm send-keys -t "$1" Enter
}

# left NAME waits for the window's end.
left() {
	for _ in $(seq 100); do tm has-session -t "$1" 2>/dev/null || return 0; sleep 0.1; done
	echo "  mcabber: $1 doesn't leave"
	exit 1
}

person stranger "$jid1" not-the-password "$starttls" tls
reads stranger "Authentication failed"
says stranger "/quit"
left stranger
echo "  mcabber: a wrong password was refused"

person juliet "$jid1" "$password1" "$starttls" tls
person romeo "$jid2" "$password2" "$tls" ssl
for p in juliet romeo; do reads $p "Your status has been set"; done
echo "  mcabber: one is in by STARTTLS, one by direct TLS"

says romeo "/add $jid1"
reads juliet "<$jid2> wants to subscribe to your presence updates"
says juliet "/event * accept"
reads romeo "<$jid1> has allowed you to receive their presence updates"
says juliet "/add $jid2"
reads romeo "<$jid1> wants to subscribe to your presence updates"
says romeo "/event * accept"
reads juliet "<$jid2> has allowed you to receive their presence updates"
for p in juliet romeo; do says $p "/roster display"; done
reads juliet "[o] $jid2"
reads romeo "[o] $jid1"
echo "  mcabber: each sees the other"

says juliet "/say_to $jid2 wherefore art thou? ☂ & <so on>"
opens romeo "$jid1"
reads romeo "wherefore art thou? ☂ & <so on>"
says romeo "here, under the balcony"
opens juliet "$jid2"
reads juliet "here, under the balcony"
echo "  mcabber: a message and its answer were read"

says juliet "/rename Sweet <Mo>"
reads juliet "[o] Sweet <Mo>"
says juliet "/move Verona ☂"
reads juliet "--- Verona ☂"
reads juliet "[o] Sweet <Mo>"
says juliet "/status away sighing"
reads romeo "sighing"
echo "  mcabber: a name, a group and a changed presence are seen"

says juliet "/request version $jid2/mcabber"
reads juliet "Received IQ:version result from <$jid2/mcabber>"
says juliet "/request last ${jid1#*@}"
reads juliet "Received IQ:last result from <${jid1#*@}>"
echo "  mcabber: the other's client and the server answer"

says juliet "/quit"
left juliet
reads romeo "[_] $jid1"
says romeo "/say_to $jid1 parting is such sweet sorrow"
person juliet "$jid1" "$password1" "$tls" ssl
reads juliet "Your status has been set"
reads juliet "Verona ☂"
opens juliet "$jid2"
reads juliet "parting is such sweet sorrow"
reads juliet "Sweet <Mo>"
echo "  mcabber: she found what was said, and the name and the group"
for p in juliet romeo; do
	says $p "/quit"
	left $p
done
