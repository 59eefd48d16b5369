package c2s

import (
	"strings"

	"weir/auth"
	"weir/xmlstream"
)

// login is what a client asks for by <authenticate/>, besides logging in.
type login struct {
	agent    auth.UserAgent
	requests []*asked       // in <authenticate/>
	bind     *inlineBind    // nil: no resource is to be bound
	token    *auth.TokenUse // it logs in with a token
	request  string         // for which mechanism it asks for a token; "": it doesn't
	upgrades []string       // tasks that it would do (XEP-0480)

	// Once it is authenticated.
	data  []byte     // additional data of its success, nil for none
	tasks *tasks     // what its client has to do before success; nil: nothing
	given auth.Token // the zero Token if it gets none
}

// inlineBind is the <bind/> of a login.
type inlineBind struct {
	tag      string
	requests []*asked
}

// maxTag bounds a tag, in bytes. RFC 7622 has 1,023 for the whole resource.
const maxTag = 128

var (
	errTwice   = &auth.Failure{Condition: "malformed-request", Text: "something is asked for twice"}
	errAgentID = &auth.Failure{Condition: "malformed-request", Text: "the id of <user-agent/> must be a UUID v4"}
	errCount   = &auth.Failure{Condition: "malformed-request", Text: "count must be a positive integer"}
)

// readLogin reads <authenticate/> (XEP-0388 §2.3): what is asked for and the
// initial response, nil for none.
func (s *Stream) readLogin(tok *xmlstream.Token) (*login, []byte, *auth.Failure) {
	w := tok.Walk()
	w.Next()
	all := readElement(&w)
	initial, once := all.child(nsSASL2, "initial-response")
	agent, one := all.child(nsSASL2, "user-agent")
	bind, single := all.child(nsBind2, "bind")
	if !once || !one || !single {
		return nil, nil, errTwice
	}
	l := new(login)
	if agent != nil {
		if err := l.readAgent(agent); err != nil {
			return nil, nil, err
		}
	}
	if err := l.readFast(&all); err != nil {
		return nil, nil, err
	}
	if err := s.checkConfigVersion(&all); err != nil {
		return nil, nil, err
	}
	l.readUpgrades(&all)
	var twice bool
	if l.requests, twice = s.askedFor(all.children, false); twice {
		return nil, nil, errTwice
	}
	if bind != nil {
		l.bind = new(inlineBind)
		if l.bind.requests, twice = s.askedFor(bind.children, true); twice {
			return nil, nil, errTwice
		}
		tag, once := bind.child(nsBind2, "tag")
		if !once {
			return nil, nil, errTwice
		}
		if tag != nil && len(tag.text) <= maxTag {
			l.bind.tag = tag.text
		}
	}
	if initial == nil {
		return l, nil, nil
	}
	msg, err := initial.data()
	return l, msg, err
}

// data decodes the text of an element that carries SASL data (XEP-0388 §2.2).
func (e *Element) data() ([]byte, *auth.Failure) {
	if len(e.children) > 0 {
		return nil, &auth.Failure{Condition: "malformed-request", Text: "character data expected"}
	}
	return fromBase64([]byte(strings.Trim(e.text, " \t\r\n"))) // the examples there are on lines of their own
}

// readAgent reads <user-agent/>. Without an id its client can't be told from
// others; one that isn't what it must be is refused (XEP-0388 §2.3).
func (l *login) readAgent(e *Element) *auth.Failure {
	id, given := e.Attr("id")
	if given {
		var ok bool
		if l.agent.ID, ok = auth.AgentID(string(id)); !ok {
			return errAgentID
		}
	}
	if c, _ := e.child(nsSASL2, "software"); c != nil {
		l.agent.Software = auth.AgentText(c.text)
	}
	if c, _ := e.child(nsSASL2, "device"); c != nil {
		l.agent.Device = auth.AgentText(c.text)
	}
	return nil
}
