package stanza

// The values of the type attribute that this package itself speaks of.
const (
	typeNormal = "normal"
	typeError  = "error"
	typeGet    = "get"
	typeSet    = "set"
	typeResult = "result"
)

// validType returns the type attribute as a constant, and whether a stanza of
// that kind may have it. given is false if there is no such attribute.
func validType(k Kind, value []byte, given bool) (typ string, ok bool) {
	switch k {
	case Message:
		return messageType(value), true
	case Presence:
		if !given { // RFC 6121 §4.7.1: available, and there is no word for it
			return "", true
		}
		return presenceType(value)
	default:
		return iqType(value)
	}
}

// messageType is RFC 6121 §5.2.2: what is not known is normal.
func messageType(value []byte) string {
	switch string(value) {
	case "chat":
		return "chat"
	case "groupchat":
		return "groupchat"
	case "headline":
		return "headline"
	case typeError:
		return typeError
	}
	return typeNormal
}

// presenceType is RFC 6121 §4.7.1.
func presenceType(value []byte) (string, bool) {
	switch string(value) {
	case "unavailable":
		return "unavailable", true
	case "subscribe":
		return "subscribe", true
	case "subscribed":
		return "subscribed", true
	case "unsubscribe":
		return "unsubscribe", true
	case "unsubscribed":
		return "unsubscribed", true
	case "probe":
		return "probe", true
	case typeError:
		return typeError, true
	}
	return "", false
}

// iqType is RFC 6120 §8.2.3.
func iqType(value []byte) (string, bool) {
	switch string(value) {
	case typeGet:
		return typeGet, true
	case typeSet:
		return typeSet, true
	case typeResult:
		return typeResult, true
	case typeError:
		return typeError, true
	}
	return "", false
}

// kindOf returns the kind of stanza that an element of NSClient is, or 0.
func kindOf(local []byte) Kind {
	switch string(local) {
	case "message":
		return Message
	case "presence":
		return Presence
	case "iq":
		return IQ
	}
	return 0
}

// namespace returns the namespace as a string that needs no allocation, or "".
func namespace(b []byte) string {
	switch string(b) {
	case NSClient:
		return NSClient
	case "jabber:iq:roster":
		return "jabber:iq:roster"
	case "jabber:iq:version":
		return "jabber:iq:version"
	case "jabber:iq:last":
		return "jabber:iq:last"
	case "jabber:iq:private":
		return "jabber:iq:private"
	case "jabber:iq:register":
		return "jabber:iq:register"
	case "jabber:x:data":
		return "jabber:x:data"
	case "jabber:x:oob":
		return "jabber:x:oob"
	case "jabber:x:conference":
		return "jabber:x:conference"
	case "vcard-temp":
		return "vcard-temp"
	case "vcard-temp:x:update":
		return "vcard-temp:x:update"
	case "http://jabber.org/protocol/caps":
		return "http://jabber.org/protocol/caps"
	case "http://jabber.org/protocol/chatstates":
		return "http://jabber.org/protocol/chatstates"
	case "http://jabber.org/protocol/disco#info":
		return "http://jabber.org/protocol/disco#info"
	case "http://jabber.org/protocol/disco#items":
		return "http://jabber.org/protocol/disco#items"
	case "http://jabber.org/protocol/muc":
		return "http://jabber.org/protocol/muc"
	case "http://jabber.org/protocol/muc#user":
		return "http://jabber.org/protocol/muc#user"
	case "http://jabber.org/protocol/nick":
		return "http://jabber.org/protocol/nick"
	case "http://jabber.org/protocol/pubsub":
		return "http://jabber.org/protocol/pubsub"
	case "http://jabber.org/protocol/pubsub#event":
		return "http://jabber.org/protocol/pubsub#event"
	case "http://jabber.org/protocol/commands":
		return "http://jabber.org/protocol/commands"
	case "urn:ietf:params:xml:ns:xmpp-bind":
		return "urn:ietf:params:xml:ns:xmpp-bind"
	case "urn:ietf:params:xml:ns:xmpp-session":
		return "urn:ietf:params:xml:ns:xmpp-session"
	}
	return urn(b)
}

// urn is namespace for the names of the form urn:xmpp:….
func urn(b []byte) string {
	switch string(b) {
	case "urn:xmpp:ping":
		return "urn:xmpp:ping"
	case "urn:xmpp:time":
		return "urn:xmpp:time"
	case "urn:xmpp:delay":
		return "urn:xmpp:delay"
	case "urn:xmpp:receipts":
		return "urn:xmpp:receipts"
	case "urn:xmpp:chat-markers:0":
		return "urn:xmpp:chat-markers:0"
	case "urn:xmpp:message-correct:0":
		return "urn:xmpp:message-correct:0"
	case "urn:xmpp:sid:0":
		return "urn:xmpp:sid:0"
	case "urn:xmpp:hints":
		return "urn:xmpp:hints"
	case "urn:xmpp:carbons:2":
		return "urn:xmpp:carbons:2"
	case "urn:xmpp:forward:0":
		return "urn:xmpp:forward:0"
	case "urn:xmpp:mam:2":
		return "urn:xmpp:mam:2"
	case "urn:xmpp:blocking":
		return "urn:xmpp:blocking"
	case "urn:xmpp:push:0":
		return "urn:xmpp:push:0"
	case "urn:xmpp:eme:0":
		return "urn:xmpp:eme:0"
	case "urn:xmpp:idle:1":
		return "urn:xmpp:idle:1"
	case "urn:xmpp:reactions:0":
		return "urn:xmpp:reactions:0"
	case "urn:xmpp:reply:0":
		return "urn:xmpp:reply:0"
	case "urn:xmpp:jingle:1":
		return "urn:xmpp:jingle:1"
	case "urn:xmpp:jingle-message:0":
		return "urn:xmpp:jingle-message:0"
	case "eu.siacs.conversations.axolotl":
		return "eu.siacs.conversations.axolotl"
	}
	return ""
}
