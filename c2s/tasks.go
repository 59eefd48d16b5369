package c2s

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"weir/auth"
	"weir/xmlstream"
)

// tasks are what a client that has proved who it is does before its login is complete
// (XEP-0388 §2.6.3): upgrades that it asked for (XEP-0480). One at a time, in order.
type tasks struct {
	x     *exchange
	list  []*auth.Upgrade // what is still to be done; the first is under way
	begun bool            // salt and count of the first are out
}

// maxUpgrades bounds how many tasks of a request are looked at. There are two.
const maxUpgrades = 8

// readUpgrades reads which tasks a login would do (XEP-0480 §2.2). What isn't known is
// passed over: a client lists what it knows.
func (l *login) readUpgrades(all *Element) {
	for i := range all.children {
		if c := &all.children[i]; c.Name == (xmlstream.Name{Space: nsUpgrade, Local: "upgrade"}) && len(l.upgrades) < maxUpgrades {
			l.upgrades = append(l.upgrades, strings.TrimSpace(c.text))
		}
	}
}

// appendUpgrades announces the tasks (XEP-0480 §2.1).
func (s *Stream) appendUpgrades(dst []byte) []byte {
	for _, name := range s.srv.auth.UpgradeTasks(s.channel()) {
		dst = append(dst, "<upgrade xmlns='"+nsUpgrade+"'>"...)
		dst = append(appendEscaped(dst, name), "</upgrade>"...)
	}
	return dst
}

// continueLogin has a client that has proved who it is do the tasks that it asked for
// and its account needs; as a rule there are none. It runs off the reader goroutine.
func (s *Stream) continueLogin(ctx context.Context, x *exchange, data []byte) {
	l := s.neg.login
	list := x.Upgrades(ctx, l.upgrades)
	if len(list) == 0 {
		s.completeLogin(ctx, x, data)
		return
	}
	s.neg.proven = true
	l.tasks = &tasks{x: x, list: list}
	s.sendContinue(list[0].Task, data)
}

// sendContinue asks for a task. data is that of the mechanism, nil for none: it takes
// the place of that in success.
func (s *Stream) sendContinue(task string, data []byte) {
	_ = s.send(func(dst []byte) []byte {
		dst = append(dst, "<continue xmlns='"+nsSASL2+"'>"...)
		if data != nil {
			dst = append(dst, "<additional-data>"...)
			dst = base64.StdEncoding.AppendEncode(dst, data)
			dst = append(dst, "</additional-data>"...)
		}
		dst = append(dst, "<tasks><task>"...)
		dst = appendEscaped(dst, task)
		return append(dst, "</task></tasks></continue>"...)
	})
}

// underWay returns the tasks of the login, nil for none.
func (s *Stream) underWay() *tasks {
	if s.neg.login == nil {
		return nil
	}
	return s.neg.login.tasks
}

// taskNext begins the task that was asked for (XEP-0480 §2.3).
func (s *Stream) taskNext(tok *xmlstream.Token, _ []byte) {
	t := s.underWay()
	if t == nil {
		s.refuseUnsupported(tok, nil)
		return
	}
	u := t.list[0]
	if name, _ := tok.Attr("task"); t.begun || string(name) != u.Task {
		s.failure(t.x.Mechanism(), &auth.Failure{Condition: "malformed-request", Text: "this is not the task that was asked for"})
		return
	}
	t.begun = true
	_ = s.send(func(dst []byte) []byte { // XEP-0480 §3
		dst = append(dst, "<task-data xmlns='"+nsSASL2+"'><salt xmlns='"+nsSalted+"' iterations='"...)
		dst = strconv.AppendInt(dst, int64(u.Iterations), 10)
		dst = base64.StdEncoding.AppendEncode(append(dst, "'>"...), u.Salt)
		return append(dst, "</salt></task-data>"...)
	})
}

// taskData takes what the client computed, and goes on with the next task or with the
// login (XEP-0480 §3).
func (s *Stream) taskData(tok *xmlstream.Token, _ []byte) {
	t := s.underWay()
	if t == nil {
		s.refuseUnsupported(tok, nil)
		return
	}
	salted, f := t.readHash(tok)
	if f != nil {
		s.failure(t.x.Mechanism(), f)
		return
	}
	s.Work(func(ctx context.Context) {
		if err := t.x.Keep(ctx, t.list[0], salted); err != nil {
			s.failure(t.x.Mechanism(), asFailure(err))
			return
		}
		if t.list, t.begun = t.list[1:], false; len(t.list) > 0 {
			s.sendContinue(t.list[0].Task, nil)
			return
		}
		s.neg.login.tasks = nil
		if !s.closing.Load() {
			s.completeLogin(ctx, t.x, nil)
		}
	})
}

// readHash reads the one thing that a task's data may be now.
func (t *tasks) readHash(tok *xmlstream.Token) ([]byte, *auth.Failure) {
	w := tok.Walk()
	w.Next()
	all := readElement(&w)
	hash, once := all.child(nsSalted, "hash")
	if !t.begun || hash == nil || !once || len(all.children) != 1 {
		return nil, &auth.Failure{Condition: "malformed-request", Text: "one hash is expected, behind the salt"}
	}
	return hash.data()
}
