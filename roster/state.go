package roster

// State is one of the nine subscription states between a user and a contact,
// seen from the user (RFC 6121 §A.1).
type State uint8

// The nine states, in the order of RFC 6121 §A.1. The zero value is also the
// state of anybody who isn't in the roster.
const (
	None State = iota
	NonePendingOut
	NonePendingIn
	NonePendingOutIn
	To
	ToPendingIn
	From
	FromPendingOut
	Both
	states // how many there are
)

// stateNames are the names that the RFC uses.
var stateNames = [states]string{
	"None", "None + Pending Out", "None + Pending In", "None + Pending Out+In",
	"To", "To + Pending In", "From", "From + Pending Out", "Both",
}

// String returns the state's name in RFC 6121 §A.1.
func (s State) String() string {
	if s >= states {
		return "invalid"
	}
	return stateNames[s]
}

// HasTo reports whether the user is subscribed to the contact's presence.
func (s State) HasTo() bool { return s == To || s == ToPendingIn || s == Both }

// HasFrom reports whether the contact is subscribed to the user's presence.
func (s State) HasFrom() bool { return s == From || s == FromPendingOut || s == Both }

// PendingOut reports whether the user asked and the contact has not answered.
func (s State) PendingOut() bool {
	return s == NonePendingOut || s == NonePendingOutIn || s == FromPendingOut
}

// PendingIn reports whether the contact asked and the user has not answered.
func (s State) PendingIn() bool {
	return s == NonePendingIn || s == NonePendingOutIn || s == ToPendingIn
}

// Subscription returns the value of a roster item's 'subscription' attribute
// (RFC 6121 §2.1.2.5).
func (s State) Subscription() string {
	switch {
	case s == Both:
		return "both"
	case s.HasTo():
		return "to"
	case s.HasFrom():
		return "from"
	}
	return "none"
}

// Event is a subscription stanza, from the side of one account: one that its
// user sends (Out) or one that is addressed to it (In).
type Event uint8

// The eight events, in the order of the tables of RFC 6121 §A.2 and §A.3.
const (
	OutSubscribe Event = iota
	OutUnsubscribe
	OutSubscribed
	OutUnsubscribed
	InSubscribe
	InUnsubscribe
	InSubscribed
	InUnsubscribed
	events // how many there are
)

// eventTypes are the values of the 'type' attribute, for each direction.
var eventTypes = [4]string{"subscribe", "unsubscribe", "subscribed", "unsubscribed"}

// Type returns the presence type of the stanza.
func (e Event) Type() string { return eventTypes[e%4] }

// Inbound reports whether the stanza is addressed to the account.
func (e Event) Inbound() bool { return e >= InSubscribe && e < events }

// Arriving returns what an outbound event is for the account it is sent to.
func (e Event) Arriving() Event { return InSubscribe + e%4 }

// String names direction and type.
func (e Event) String() string {
	if e.Inbound() {
		return "inbound " + e.Type()
	}
	return "outbound " + e.Type()
}

// Outbound returns the event of a presence that a user sends, by its type
// attribute. ok is false if it is no subscription stanza.
func Outbound(typ string) (e Event, ok bool) {
	for i, t := range eventTypes {
		if t == typ {
			return Event(i), true
		}
	}
	return 0, false
}
