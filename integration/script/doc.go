// Package script owns the language of the stream scripts: what actors send to a
// server and what they have to receive, in one order for all of them.
//
// It must not know any package of the server. It drives testclient.
//
// A script is a txtar file. Its comment says what it proves; its section
// "config", if there is one, is the server's configuration (TOML); its section
// "script" has one step a line. A line that begins with white space continues
// the one before (a space comes between, unless that ends with ">"); "#" begins
// a comment. The steps:
//
//	juliet> XML         juliet sends this, byte for byte ({name} is replaced; {newline} is one)
//	juliet< PATTERN     the next element juliet receives matches (testclient.ParsePattern)
//	juliet<~ PATTERN    one of those she receives matches; others stay for later steps
//	juliet: VERB …      one of the verbs below
//
// The {name} in a pattern remembers what is there, for all actors: patterns and
// XML behind it have it in the place of {name}. What is sent and received for a
// sync counts, where stanzas are counted (XEP-0198). Acknowledgements and
// requests for one come when the server likes: all but patterns of their own
// pass over them.
//
// An actor's name is also her account, unless she logs in "as" another. Verbs:
//
//	login RESOURCE [as USER] [via LISTENER]   all of it, by the best mechanism
//	authenticate [as USER] [via LISTENER]     the same without the bind
//	connect [LISTENER]        TCP, and TLS on the listener c2s-tls
//	open                      stream header and features
//	starttls                  upgrade; open again after it
//	auth MECHANISM [USER [PASSWORD]]          has to succeed
//	auth-fails MECHANISM USER PASSWORD CONDITION
//	sasl2 MECHANISM USER SECRET XML           <authenticate/> with XML in it, up to
//	                          its outcome, which is the next to be received
//	bind [RESOURCE]           the server makes one if none is given
//	sync                      everything she sent has been handled
//	nothing [DURATION]        after a sync of all actors nothing waits for her
//	                          (on a stream without a session: nothing comes for that long)
//	drain                     after a sync of all actors forget what waits for her
//	close                     close the stream in order and see the server do the same
//	ended                     the server closed stream and connection, nothing else waits
//	gone                      the connection ended, in whatever way
//	cut                       end the connection as a broken network does
//
// LISTENER is c2s, c2s-tls or c2s-insecure, the last being the default: the
// scripts about TLS say so, the others are readable on the wire. The actor
// "server" has the verbs run ARGUMENTS (of the binary, on the data of the server),
// stop (the actors see how), start, restart (both, the
// actors are gone) and kill (SIGKILL, then start; the actors are gone).
//
// The scenarios are those of RFC 6120 and RFC 6121.
//
// Start reading at [Parse] and [Run].
package script
