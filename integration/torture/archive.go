package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

// Namespaces of archives.
const (
	nsDisco = "http://jabber.org/protocol/disco#info"
	nsMAM   = "urn:xmpp:mam:2"
	nsRSM   = "http://jabber.org/protocol/rsm"
)

// page is how many messages of an archive are asked for at a time.
const page = 100

// archivePatience bounds reading one archive.
const archivePatience = 2 * time.Minute

// archives reads the archive of each account, some at a time; nil if the server
// offers none.
func archives(ctx context.Context, w *world) ([][]history.Archived, error) {
	offered, err := w.clients[0].offers(ctx, nsMAM)
	if err != nil || !offered {
		return nil, err
	}
	all := make([][]history.Archived, len(w.accounts))
	errs := make(chan error, len(w.accounts))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range next {
				var err error
				if all[i], err = w.clients[i].archive(ctx); err != nil {
					errs <- fmt.Errorf("torture: the archive of %s: %w", account(int32(i)), err)
				}
			}
		})
	}
	for i := range w.accounts {
		next <- i
	}
	close(next)
	wg.Wait()
	close(errs)
	return all, <-errs
}

// visit logs in for questions only: without stream management and presence, so
// that nothing is delivered to it.
func (c *client) visit(ctx context.Context) (*stream, context.CancelFunc, error) {
	place := c.server.where()
	if place == nil {
		return nil, nil, fmt.Errorf("the server is down")
	}
	ctx, cancel := context.WithTimeout(ctx, archivePatience)
	s, err := dial(ctx, place.plain, false)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	end := func() { s.cut(false); cancel() }
	if err := s.login(c.scram); err != nil {
		end()
		return nil, nil, err
	}
	if _, _, err := ask(s, "set", "", "<bind xmlns='"+nsBind+"'><resource>archivist</resource></bind>"); err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}

// ask sends a request and returns the answer and the messages that came before it.
func ask(s *stream, kind, to, payload string) (answer *testclient.Element, before []*testclient.Element, err error) {
	if to != "" {
		to = " to='" + to + "'"
	}
	if err := s.send("<iq type='" + kind + "' id='q'" + to + ">" + payload + "</iq>"); err != nil {
		return nil, nil, err
	}
	for {
		e, err := s.next()
		if err != nil {
			return nil, nil, err
		}
		switch {
		case e.Name.Local == "iq" && e.Get("id") == "q" && e.Get("type") == "result":
			return e, before, nil
		case e.Name.Local == "iq" && e.Get("id") == "q" && e.Get("type") == "error":
			return nil, nil, fmt.Errorf("refused: %s", e)
		case e.Name.Local == "message":
			before = append(before, e)
		}
	}
}

// offers asks the account, and then the server, for a feature: archives tell theirs
// with the account (XEP-0313 §7).
func (c *client) offers(ctx context.Context, feature string) (bool, error) {
	s, end, err := c.visit(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	for _, to := range []string{account(c.id) + "@" + domain, domain} {
		answer, _, err := ask(s, "get", to, "<query xmlns='"+nsDisco+"'/>")
		query := answer.Child(nsDisco, "query")
		if err != nil || query == nil {
			continue // an account need not answer
		}
		for _, f := range query.Children {
			if f.Name.Local == "feature" && f.Get("var") == feature {
				return true, nil
			}
		}
	}
	return false, nil
}

// archive reads an account's whole archive, page by page (XEP-0313 §4, XEP-0059 §2.2).
func (c *client) archive(ctx context.Context) ([]history.Archived, error) {
	s, end, err := c.visit(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	all, after := []history.Archived{}, ""
	for {
		answer, results, err := ask(s, "set", "", fmt.Sprintf("<query xmlns='%s' queryid='q'><set xmlns='%s'><max>%d</max>%s</set></query>",
			nsMAM, nsRSM, page, after))
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			if a, ok := archived(r); ok {
				all = append(all, a)
			}
		}
		fin := answer.Child(nsMAM, "fin")
		if fin == nil {
			return nil, fmt.Errorf("no <fin/> in %s", answer)
		}
		if v := fin.Get("complete"); v == "true" || v == "1" {
			return all, nil
		}
		last := fin.Child(nsRSM, "set").Child(nsRSM, "last")
		if last == nil || len(results) == 0 {
			return nil, fmt.Errorf("a page without an end that isn't the last: %s", answer)
		}
		after = "<after>" + escaped.Replace(last.Text) + "</after>"
	}
}

// archived reads one result (XEP-0313 §4.2). What isn't a message of the run doesn't count.
func archived(e *testclient.Element) (history.Archived, bool) {
	r := e.Child(nsMAM, "result")
	m := r.Child("urn:xmpp:forward:0", "forwarded").Child("", "message")
	if m == nil || m.Child("", "body") == nil {
		return history.Archived{}, false
	}
	name, ok := history.ParseMessage(m.Get("id"))
	return history.Archived{ID: r.Get("id"), Message: name}, ok
}
