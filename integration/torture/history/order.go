package history

// order holds that what one client sends to another comes in that order.
//
// The server handles a client's messages for another in the order of their
// numbers, over all of the client's sessions: what is not acknowledged in one is
// sent again, in order and first, in the next. Only messages that were given up
// have no place in it: the server may handle them whenever it finds them.
//
// What comes has that order in each session and, since what a session did not
// acknowledge goes to the next, also over all of them, with two exceptions:
//
//   - A session that was bound but is not available yet gets at once what is sent
//     to its full address, and what waits for the account only later (RFC 6121 §8.5.3.1).
//   - A client that comes back as another resource leaves a session behind that the
//     server keeps for a while; what that one had comes when it is given up, late.
func (j *judge) order(receiver *ledger) {
	if receiver.wanderer {
		var kept []arrival
		for _, a := range receiver.inOrder {
			if !a.delayed {
				kept = append(kept, a)
			}
		}
		j.inSessions(receiver, kept)
		return
	}
	first := map[Message]bool{}
	j.ascending(receiver, receiver.inOrder, "came", func(a arrival) bool {
		again := first[a.message]
		first[a.message] = true
		return !again
	})
	j.inSessions(receiver, receiver.inOrder)
}

// inSessions looks at the first copies in each session.
func (j *judge) inSessions(receiver *ledger, all []arrival) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].session == all[0].session {
			n++
		}
		here := map[Message]bool{}
		j.ascending(receiver, all[:n], "came in one session", func(a arrival) bool {
			again := here[a.message]
			here[a.message] = true
			resent := j.rules.LooseResends && len(j.sentBy(a.message).sessions) > 1
			return !again && !resent
		})
		all = all[n:]
	}
}

// sentBy returns what the sender knows of a message.
func (j *judge) sentBy(m Message) *outgoing {
	if m.From >= 0 && int(m.From) < len(j.ledgers) {
		if o := j.ledgers[m.From].sent[m]; o != nil {
			return o
		}
	}
	return &outgoing{dropped: true} // told by strangers
}

// ascending holds that the numbers of each sender ascend among those arrivals that count.
func (j *judge) ascending(receiver *ledger, all []arrival, how string, counts func(arrival) bool) {
	highest := map[int32]arrival{}
	for _, a := range all {
		if !counts(a) || a.early || j.sentBy(a.message).dropped {
			continue
		}
		h, seen := highest[a.message.From]
		if seen && a.message.Seq < h.message.Seq {
			if !j.told(receiver.client, a) {
				j.find("reordered", receiver.client, a.message, a.at, "%s after %s (at %s in session %d)", how, h.message, clock(h.at), h.session)
			}
			continue
		}
		highest[a.message.From] = a
	}
}

// told reports whether the disorder of an arrival was found already.
func (j *judge) told(client int32, a arrival) bool {
	for _, f := range j.Findings {
		if f.Promise == "reordered" && f.Client == client && f.About && f.Message == a.message && f.At == a.at {
			return true
		}
	}
	return false
}
