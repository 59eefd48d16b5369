package history

// Device is a further client of an account: it writes nothing and has copies on.
type Device struct {
	Account int32
	Log     Log
}

// watch is one session of a device with copies.
type watch struct {
	since  int64 // when copies were on, as a time of the run; -1 before
	copies map[Message]int
	order  []Event
}

// copied names the message that an event of a device is about.
func (d *Device) copied(e *Event) Message {
	if e.Has(FromUs) {
		return Message{d.Account, e.Peer, e.Seq}
	}
	return Message{e.Peer, d.Account, e.Seq}
}

// devices holds that each device sees each message of its account's conversations
// exactly once, and all of them in the order that the account's archive has
// (XEP-0280 §7, §8).
func (j *judge) devices() {
	if len(j.run.Devices) == 0 {
		j.NotChecked = append(j.NotChecked, "carbons (the server doesn't offer urn:xmpp:carbons:2, or no account has two devices)")
		return
	}
	for i := range j.run.Devices {
		d := &j.run.Devices[i]
		l := read(d.Account, d.Log, j.faults)
		j.Findings = append(j.Findings, l.findings...)
		j.Resumes += l.resumes
		j.Refused += l.refused
		j.device(d)
	}
}

func (j *judge) device(d *Device) {
	var w *watch
	ever := map[Message]bool{}
	for i := range d.Log {
		e := &d.Log[i]
		switch {
		case e.Kind == Bound:
			w = &watch{since: -1, copies: map[Message]int{}}
		case w == nil:
		case e.Kind == Copying:
			w.since = int64(e.At)
		case e.Kind == Copied:
			m := d.copied(e)
			j.Copies++
			resent := j.rules.LooseResends && len(j.sentBy(m).sessions) > 1
			if ever[m] && !resent {
				j.find("copies", d.Account, m, e.At, "came to a device of account %d twice, now as stanza %d of session %d", d.Account, e.N, e.Session)
			}
			ever[m] = true
			w.copies[m]++
			w.order = append(w.order, *e)
			if m.From < 0 || int(m.From) >= len(j.ledgers) || j.ledgers[m.From].sent[m] == nil {
				j.find("wrong", d.Account, m, e.At, "a copy came of what was never sent")
			}
		}
		if e.Kind == Bound || i == len(d.Log)-1 {
			j.inOrder(d, w)
		}
	}
	if w != nil && w.since >= 0 {
		j.complete(d, w)
	}
}

// complete holds that the last session of a device, which lasted to the end, has
// everything that was sent since it has had copies on.
func (j *judge) complete(d *Device, w *watch) {
	for _, sender := range j.ledgers {
		for _, m := range sortedKeys(sender.sent) {
			o := sender.sent[m]
			if m.ToNobody() || m.From != d.Account && m.To != d.Account || int64(o.first) <= w.since || w.copies[m] > 0 {
				continue
			}
			came := len(j.ledgers[m.To].got[m]) > 0
			if came || o.acked >= 0 && len(o.bounced) == 0 && !j.excused(m, o) {
				j.find("copies", d.Account, m, o.first, "acknowledged or delivered, and no copy came to a device of account %d that has had them on since %.4fs",
					d.Account, float64(w.since)/1e9)
			}
		}
	}
}

// excused reports whether a message may be lost, as message has it.
func (j *judge) excused(m Message, o *outgoing) bool {
	return o.full && j.ledgers[m.To].unmanaged(o.first, o.acked)
}

// inOrder holds that copies come in the order of the archive.
func (j *judge) inOrder(d *Device, w *watch) {
	if w == nil || int(d.Account) >= len(j.run.Archives) {
		return
	}
	place := map[Message]int{}
	for i, a := range j.run.Archives[d.Account] {
		place[a.Message] = i
	}
	highest, of := -1, Message{}
	for _, e := range w.order {
		m := d.copied(&e)
		at, archived := place[m]
		switch {
		case !archived || j.rules.LooseResends && len(j.sentBy(m).sessions) > 1:
		case at < highest:
			j.find("copies", d.Account, m, e.At, "came to a device of account %d after %s, which is behind it in the archive", d.Account, of)
		default:
			highest, of = at, m
		}
	}
	w.order = nil
}
