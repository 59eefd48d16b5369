package sessionmgr

// source is a stanza of a client that is being handled. It is counted with the
// first item that carries it, so that what it leads to and its number become
// durable together. A nil source is the server itself.
type source struct {
	s       *Session
	epoch   uint32 // of the stream that it came by
	counted bool
	// followed says that Manager.tracked has a tracker of it: a pointer here would cost
	// every stanza.
	followed bool
}

// sign notes on an item whose stanza it comes of.
func (o *source) sign(it *item) {
	if o == nil {
		return
	}
	it.From = o.s
	if !o.counted {
		o.counted = true
		it.count, it.fenced, it.epoch = true, true, o.epoch
	}
}

// session returns whose stanza it is, nil for the server's own.
func (o *source) session() *Session {
	if o == nil {
		return nil
	}
	return o.s
}

// finish counts a stanza that nothing has come of.
func (m *Manager) finish(o *source) {
	if o.counted {
		return
	}
	var it item
	o.sign(&it)
	m.pipe.submit(it)
}
