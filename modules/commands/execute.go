package commands

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"time"

	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"

	merr "mellium.im/xmpp/stanza"
)

// Actions (XEP-0050 §3.4) and states (XEP-0050 §4.1).
const (
	actExecute  = "execute"
	actCancel   = "cancel"
	actPrev     = "prev"
	actNext     = "next"
	actComplete = "complete"

	executing = "executing"
	completed = "completed"
	canceled  = "canceled"
)

// execution is a command under way. Whoever works on one has taken it out of the
// module's map, so that nobody else does.
type execution struct {
	id      string
	command *Command
	call    Call
	form    *dataform.Form // that waits for an answer
	bytes   int            // of the answers
	until   time.Time
}

// request is what a client sends.
type request struct {
	Node    string         `xml:"node,attr"`
	Session string         `xml:"sessionid,attr"`
	Action  string         `xml:"action,attr"`
	Form    *dataform.Form `xml:"jabber:x:data x"`
}

// reply is what it gets.
type reply struct {
	XMLName xml.Name       `xml:"http://jabber.org/protocol/commands command"`
	Node    string         `xml:"node,attr"`
	Session string         `xml:"sessionid,attr"`
	Status  string         `xml:"status,attr"`
	Actions *actions       `xml:"actions"`
	Note    *note          `xml:"note"`
	Form    *dataform.Form `xml:"jabber:x:data x"`
}

type actions struct {
	Execute  string    `xml:"execute,attr"`
	Prev     *struct{} `xml:"prev"`
	Next     *struct{} `xml:"next"`
	Complete *struct{} `xml:"complete"`
}

type note struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// condition is an error with a condition of XEP-0050 §4.4 in it.
type condition struct {
	err stanza.Error
	app string
}

func (c condition) Error() string { return c.err.Error() }

func bad(app, text string) error { return condition{stanza.BadRequest(text), app} }

// expired says that an execution is over, or never was: nothing tells which.
func expired() error {
	return condition{stanza.NotAllowed("this command is over: it ended, was canceled or waited too long"), "session-expired"}
}

// execute answers one request (XEP-0050 §2.4).
func (mod *Module) execute(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, ok := sessionmgr.FromContext(ctx)
	if !ok {
		return nil, stanza.Forbidden()
	}
	var q request
	if err := iq.Decode(NS, "command", &q); err != nil {
		return nil, err
	}
	out, err := mod.act(ctx, s, &q)
	var c condition
	if !errors.As(err, &c) {
		return out, err
	}
	answer := iq.ErrorReplyWith(c.err, []byte("<"+c.app+" xmlns='"+NS+"'/>"))
	mod.m.Submit(sessionmgr.Entry{From: s, Out: []sessionmgr.Delivery{{To: s, Stanza: answer}}})
	return nil, sessionmgr.ErrAnswered
}

func (mod *Module) act(ctx context.Context, s *sessionmgr.Session, q *request) (any, error) {
	switch q.Action {
	case "":
		q.Action = actExecute
	case actExecute, actCancel, actPrev, actNext, actComplete:
	default:
		return nil, bad("malformed-action", "the action is none of execute, cancel, prev, next and complete")
	}
	c := mod.find(q.Node)
	if c == nil {
		return nil, stanza.ItemNotFound()
	}
	if may, err := mod.allows(ctx, s, c); err != nil {
		return nil, err
	} else if !may { // XEP-0050 §4.4 has it with cancel: no login would help
		return nil, stanza.NewError(merr.Forbidden, merr.Cancel, "this command isn't for you")
	}
	if q.Session == "" {
		if q.Action == actCancel || q.Action == actPrev {
			return nil, bad("bad-action", "there is nothing to cancel or to go back in")
		}
		x := &execution{id: rand.Text(), command: c, call: Call{Session: s}}
		return mod.goOn(ctx, x)
	}
	x, err := mod.take(s, q)
	if err != nil {
		return nil, err
	}
	out, err := mod.step(ctx, x, q)
	if errors.As(err, new(condition)) {
		mod.put(x) // the client may try again
	}
	return out, err
}

// step does what a client wants with a command under way.
func (mod *Module) step(ctx context.Context, x *execution, q *request) (any, error) {
	last := len(x.call.Answers) == len(x.command.Stages)-1
	if q.Action == actExecute { // as in our <actions/>
		q.Action = actNext
		if last {
			q.Action = actComplete
		}
	}
	switch {
	case q.Action == actCancel:
		return reply{Node: x.command.Node, Session: x.id, Status: canceled}, nil
	case q.Action == actPrev:
		n := len(x.call.Answers)
		if n == 0 {
			return nil, bad("bad-action", "this is the first stage")
		}
		x.bytes -= x.call.Answers[n-1].Size()
		x.call.Answers = x.call.Answers[:n-1]
		return mod.goOn(ctx, x)
	case q.Action == actNext && last, q.Action == actComplete && !last:
		return nil, bad("bad-action", "not at this stage")
	}
	// XEP-0050 §3.5.1: a form of type cancel counts as submitted.
	answer, err := x.form.Check(q.Form)
	if err != nil {
		return nil, bad("bad-payload", err.Error())
	}
	if x.bytes+answer.Size() > mod.o.Bytes {
		return nil, condition{stanza.PolicyViolation("more was answered than one command may hold"), "bad-payload"}
	}
	x.bytes += answer.Size()
	x.call.Answers = append(x.call.Answers, answer)
	return mod.goOn(ctx, x)
}

// goOn asks the next stage, or does the command where all is answered.
func (mod *Module) goOn(ctx context.Context, x *execution) (any, error) {
	n := len(x.call.Answers)
	if n < len(x.command.Stages) {
		form, err := x.command.Stages[n](ctx, &x.call)
		if err != nil {
			return nil, err
		}
		if x.bytes+form.Size() > mod.o.Bytes {
			return nil, stanza.ResourceConstraint("the form is larger than one command may hold")
		}
		shown := *form // it may be the command's own
		shown.Type, x.form = dataform.TypeForm, &shown
		mod.put(x)
		a := &actions{Execute: actNext, Next: new(struct{})}
		if n == len(x.command.Stages)-1 {
			a = &actions{Execute: actComplete, Complete: new(struct{})}
		}
		if n > 0 {
			a.Prev = new(struct{})
		}
		return reply{Node: x.command.Node, Session: x.id, Status: executing, Actions: a, Form: x.form}, nil
	}
	r, err := x.command.Run(ctx, &x.call)
	if err != nil {
		return nil, err
	}
	out := reply{Node: x.command.Node, Session: x.id, Status: completed, Form: r.Form}
	if r.Note != "" {
		out.Note = &note{Type: "info", Text: r.Note}
		if r.Failed {
			out.Note.Type = "error" // XEP-0050 §3.6
		}
	}
	return out, nil
}

// take gives a command under way to who works on it.
func (mod *Module) take(s *sessionmgr.Session, q *request) (*execution, error) {
	mod.mu.Lock()
	defer mod.mu.Unlock()
	x := mod.under[q.Session]
	if x == nil || x.call.Session != s || time.Now().After(x.until) {
		return nil, expired()
	}
	if x.command.Node != q.Node {
		return nil, bad("bad-sessionid", "this session is of another command")
	}
	delete(mod.under, q.Session)
	return x, nil
}

// put has a command wait for its client, and makes room for it.
func (mod *Module) put(x *execution) {
	mod.mu.Lock()
	defer mod.mu.Unlock()
	if x.call.Session.State() == sessionmgr.Destroyed {
		return // Unbound may have run
	}
	now, account := time.Now(), x.call.Account()
	x.until = now.Add(mod.o.Life)
	var own, any *execution // the oldest ones
	mine := 0
	for id, y := range mod.under {
		if now.After(y.until) {
			delete(mod.under, id)
			continue
		}
		if any == nil || y.until.Before(any.until) {
			any = y
		}
		if y.call.Account() == account {
			mine++
			if own == nil || y.until.Before(own.until) {
				own = y
			}
		}
	}
	switch {
	case mine >= mod.o.Executions:
		delete(mod.under, own.id)
	case len(mod.under) >= mod.o.All:
		delete(mod.under, any.id)
	}
	mod.under[x.id] = x
}

// forget ends what a session had under way.
func (mod *Module) forget(s *sessionmgr.Session) {
	mod.mu.Lock()
	defer mod.mu.Unlock()
	for id, x := range mod.under {
		if x.call.Session == s {
			delete(mod.under, id)
		}
	}
}
