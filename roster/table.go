package roster

// Approval says what an event does to the pre-approval of a contact.
type Approval uint8

// The effects on the 'approved' flag.
const (
	Keep    Approval = iota
	Approve          // set: the contact's request will be answered at once
	Revoke           // clear
)

// Cell is what happens at one event in one state.
type Cell struct {
	// Next is the new state.
	Next State
	// Pass: an outbound stanza is routed to the contact, an inbound one
	// delivered to the user's resources.
	Pass bool
	// Push: what clients see of the item (subscription, ask, approved) changes,
	// so interested resources get a roster push. With Approval only if the flag changed.
	Push bool
	// Reply is the type of the presence that the server returns to the contact
	// on behalf of the user, "" for none.
	Reply string
	// Approval is the effect on the pre-approval.
	Approval Approval
	// Approved is what happens instead where the contact was pre-approved
	// (RFC 6121 §3.4.2). nil: the same.
	Approved *Cell
}

// autoSubscribed and autoUnsubscribed are the two answers a server may give.
const (
	autoSubscribed   = "subscribed"
	autoUnsubscribed = "unsubscribed"
)

// table is RFC 6121 Appendix A as data, one row for each of its tables 2 to 9. Three
// remarks on where the appendix leaves a choice or the text of section 3 adds to it:
//
//   - A pre-approval is kept after it was used, until the user sends
//     "unsubscribed" or removes the contact (RFC 6121 §3.4.2, implementation note).
//   - Inbound "subscribe" from a subscriber is answered and changes nothing
//     (table 6, note 2).
//   - Inbound "unsubscribe" that withdraws an unanswered request is delivered,
//     as table 7 has it, so that clients can withdraw their question too.
var table = [events][states]Cell{
	// RFC 6121 §A.2.1, table 2
	OutSubscribe: {
		None:             {Next: NonePendingOut, Pass: true, Push: true},
		NonePendingOut:   {Next: NonePendingOut, Pass: true},
		NonePendingIn:    {Next: NonePendingOutIn, Pass: true, Push: true},
		NonePendingOutIn: {Next: NonePendingOutIn, Pass: true},
		To:               {Next: To, Pass: true},
		ToPendingIn:      {Next: ToPendingIn, Pass: true},
		From:             {Next: FromPendingOut, Pass: true, Push: true},
		FromPendingOut:   {Next: FromPendingOut, Pass: true},
		Both:             {Next: Both, Pass: true},
	},
	// RFC 6121 §A.2.2, table 3
	OutUnsubscribe: {
		None:             {Next: None, Pass: true},
		NonePendingOut:   {Next: None, Pass: true, Push: true},
		NonePendingIn:    {Next: NonePendingIn, Pass: true},
		NonePendingOutIn: {Next: NonePendingIn, Pass: true, Push: true},
		To:               {Next: None, Pass: true, Push: true},
		ToPendingIn:      {Next: NonePendingIn, Pass: true, Push: true},
		From:             {Next: From, Pass: true},
		FromPendingOut:   {Next: From, Pass: true, Push: true},
		Both:             {Next: From, Pass: true, Push: true},
	},
	// RFC 6121 §A.2.3, table 4; the pre-approvals by RFC 6121 §3.4.2
	OutSubscribed: {
		None:             {Next: None, Push: true, Approval: Approve},
		NonePendingOut:   {Next: NonePendingOut, Push: true, Approval: Approve},
		NonePendingIn:    {Next: From, Pass: true, Push: true},
		NonePendingOutIn: {Next: FromPendingOut, Pass: true, Push: true},
		To:               {Next: To, Push: true, Approval: Approve},
		ToPendingIn:      {Next: Both, Pass: true, Push: true},
		From:             {Next: From},
		FromPendingOut:   {Next: FromPendingOut},
		Both:             {Next: Both},
	},
	// RFC 6121 §A.2.4, table 5; revoking a pre-approval by RFC 6121 §3.2.2
	OutUnsubscribed: {
		None:             {Next: None, Push: true, Approval: Revoke},
		NonePendingOut:   {Next: NonePendingOut, Push: true, Approval: Revoke},
		NonePendingIn:    {Next: None, Pass: true},
		NonePendingOutIn: {Next: NonePendingOut, Pass: true},
		To:               {Next: To, Push: true, Approval: Revoke},
		ToPendingIn:      {Next: To, Pass: true},
		From:             {Next: None, Pass: true, Push: true, Approval: Revoke},
		FromPendingOut:   {Next: NonePendingOut, Pass: true, Push: true, Approval: Revoke},
		Both:             {Next: To, Pass: true, Push: true, Approval: Revoke},
	},
	// RFC 6121 §A.3.1, table 6
	InSubscribe: {
		None:             {Next: NonePendingIn, Pass: true, Approved: &Cell{Next: From, Push: true, Reply: autoSubscribed}},
		NonePendingOut:   {Next: NonePendingOutIn, Pass: true, Approved: &Cell{Next: FromPendingOut, Push: true, Reply: autoSubscribed}},
		NonePendingIn:    {Next: NonePendingIn},
		NonePendingOutIn: {Next: NonePendingOutIn},
		To:               {Next: ToPendingIn, Pass: true, Approved: &Cell{Next: Both, Push: true, Reply: autoSubscribed}},
		ToPendingIn:      {Next: ToPendingIn},
		From:             {Next: From, Reply: autoSubscribed},
		FromPendingOut:   {Next: FromPendingOut, Reply: autoSubscribed},
		Both:             {Next: Both, Reply: autoSubscribed},
	},
	// RFC 6121 §A.3.2, table 7
	InUnsubscribe: {
		None:             {Next: None},
		NonePendingOut:   {Next: NonePendingOut},
		NonePendingIn:    {Next: None, Pass: true, Reply: autoUnsubscribed},
		NonePendingOutIn: {Next: NonePendingOut, Pass: true, Reply: autoUnsubscribed},
		To:               {Next: To},
		ToPendingIn:      {Next: To, Pass: true, Reply: autoUnsubscribed},
		From:             {Next: None, Pass: true, Push: true, Reply: autoUnsubscribed},
		FromPendingOut:   {Next: NonePendingOut, Pass: true, Push: true, Reply: autoUnsubscribed},
		Both:             {Next: To, Pass: true, Push: true, Reply: autoUnsubscribed},
	},
	// RFC 6121 §A.3.3, table 8
	InSubscribed: {
		None:             {Next: None},
		NonePendingOut:   {Next: To, Pass: true, Push: true},
		NonePendingIn:    {Next: NonePendingIn},
		NonePendingOutIn: {Next: ToPendingIn, Pass: true, Push: true},
		To:               {Next: To},
		ToPendingIn:      {Next: ToPendingIn},
		From:             {Next: From},
		FromPendingOut:   {Next: Both, Pass: true, Push: true},
		Both:             {Next: Both},
	},
	// RFC 6121 §A.3.4, table 9
	InUnsubscribed: {
		None:             {Next: None},
		NonePendingOut:   {Next: None, Pass: true, Push: true},
		NonePendingIn:    {Next: NonePendingIn},
		NonePendingOutIn: {Next: NonePendingIn, Pass: true, Push: true},
		To:               {Next: None, Pass: true, Push: true},
		ToPendingIn:      {Next: NonePendingIn, Pass: true, Push: true},
		From:             {Next: From},
		FromPendingOut:   {Next: From, Pass: true, Push: true},
		Both:             {Next: From, Pass: true, Push: true},
	},
}

// Lookup returns what e does to a contact in state s, pre-approved or not.
// The returned cell is resolved: its field Approved is nil.
func Lookup(s State, approved bool, e Event) Cell {
	c := &table[e][s]
	if approved && c.Approved != nil {
		return *c.Approved
	}
	cell := *c
	cell.Approved = nil
	return cell
}
