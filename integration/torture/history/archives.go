package history

import "fmt"

// archives holds that an archive has no message twice, that both archives of a
// pair have the same messages between them, in the order in which they were sent,
// and that what was acknowledged or came is in there (XEP-0313 §3).
func (j *judge) archives() {
	if j.run.Archives == nil {
		j.NotChecked = append(j.NotChecked, "archives (the server doesn't offer urn:xmpp:mam:2)")
		return
	}
	has := make([]map[Message]bool, len(j.run.Archives))
	for owner, archive := range j.run.Archives {
		has[owner] = j.archive(int32(owner), archive)
	}
	for _, sender := range j.ledgers {
		for _, m := range sortedKeys(sender.sent) {
			if m.ToNobody() {
				continue
			}
			o := sender.sent[m]
			mine, theirs := has[m.From][m], has[m.To][m]
			due := len(j.ledgers[m.To].got[m]) > 0 || o.acked >= 0 && len(o.bounced) == 0
			switch {
			case due && !(mine && theirs):
				j.find("archive", m.From, m, o.first, "acknowledged or delivered, but not archived (sender's archive: %v, receiver's: %v)", mine, theirs)
			case mine != theirs:
				j.find("archive", m.From, m, o.first, "in one archive only (sender's: %v, receiver's: %v)", mine, theirs)
			}
		}
	}
}

// archive judges one archive and returns what it has.
func (j *judge) archive(owner int32, archive []Archived) map[Message]bool {
	has, ids := map[Message]bool{}, map[string]bool{}
	type pair struct{ from, to int32 }
	highest := map[pair]int32{}
	for _, a := range archive {
		m := a.Message
		switch o := j.sentBy(m); {
		case ids[a.ID]:
			j.find("archive", owner, m, 0, "%s", fmt.Sprintf("the archive of client %d has two entries with the id %q", owner, a.ID))
		case m.From != owner && m.To != owner:
			j.find("archive", owner, m, 0, "the archive of client %d has a message between others", owner)
		case has[m]:
			if j.rules.LooseResends && len(o.sessions) > 1 {
				j.Excused++
			} else {
				j.find("archive", owner, m, o.first, "twice in the archive of client %d", owner)
			}
		case o.dropped:
		default:
			p := pair{m.From, m.To}
			if last, seen := highest[p]; seen && m.Seq < last {
				j.find("archive", owner, m, o.first, "in the archive of client %d behind number %d", owner, last)
			} else {
				highest[p] = m.Seq
			}
		}
		has[m], ids[a.ID] = true, true
	}
	return has
}
