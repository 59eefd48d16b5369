package sessionmgr

import (
	"fmt"
	"strings"
	"sync"

	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// phone is a client of the model with stream management: what it has got over
// all of its streams, and what it has acknowledged.
type phone struct {
	name  string
	id    string // of its stream
	has   uint32 // stanzas received
	acked uint32
	heard []heard
	line  *line // nil while cut
	ended bool
	// With copies: what it has to hear, once, whether for itself or as a copy.
	carbons bool
	due     []int
	// Errors that it has to hear of, and those that it has heard of.
	errors, told []int
	refused      []int // messages of which it was told that they reach nobody
}

type heard struct {
	no   int // of the message, -1 for anything else
	owed bool
	copy bool
	at   uint32 // its number
}

// line is a stream of a phone.
type line struct {
	*Session
	mu    sync.Mutex
	p     *phone
	dead  bool
	limit int // stanzas until it breaks, 0: none
}

func (n *line) Append(st *stanza.Stanza) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead {
		return fmt.Errorf("dead")
	}
	if n.limit > 0 {
		if n.limit--; n.limit == 0 {
			n.dead = true
			return fmt.Errorf("breaks")
		}
	}
	h := heard{no: -1}
	if st.Kind == stanza.Message && !st.IsError() {
		h.no, h.copy = messageNo(st)
		h.owed = strings.Contains(string(st.AppendTo(nil)), "Offline Storage")
	}
	if st.IsError() && !st.HasChild(nsCarbons, "") {
		n.p.learns(st.ID)
	}
	n.p.has++
	h.at = n.p.has
	n.p.heard = append(n.p.heard, h)
	return nil
}

// learns takes an error: one that was sent to the phone, or the answer to a message.
func (p *phone) learns(id string) {
	var no int
	if _, err := fmt.Sscanf(id, "e%d", &no); err == nil {
		p.told = append(p.told, no)
	} else if _, err := fmt.Sscanf(id, "m%d", &no); err == nil {
		p.refused = append(p.refused, no)
	}
}

func (n *line) Flush()       {}
func (n *line) WantDrain()   {}
func (n *line) Waiting() int { return 0 }
func (n *line) Close(*stream.Error) {
	n.mu.Lock()
	n.dead = true
	n.mu.Unlock()
}

func (n *line) got() uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.p.has
}

// messageNo returns the number of a message of the models, also of one that is
// forwarded; -1 for any other.
func messageNo(st *stanza.Stanza) (no int, copied bool) {
	id := st.ID
	if copied = st.HasChild(nsCarbons, ""); copied {
		_, id, _ = strings.Cut(string(st.AppendTo(nil)), " id='")
	}
	if _, err := fmt.Sscanf(id, "m%d", &no); err != nil {
		return -1, copied
	}
	return no, copied
}
