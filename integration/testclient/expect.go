package testclient

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Next returns the next element that arrived.
func (c *Client) Next(ctx context.Context) (*Element, error) {
	e, err := c.take(ctx, first)
	if err != nil {
		return nil, c.fail("waiting for an element: %w", err)
	}
	return e, nil
}

// IsAck reports whether an element is an acknowledgement or a request for one
// (XEP-0198 §4). They come when the server likes.
func IsAck(e *Element) bool {
	return e.Name.Space == nsAcks && (e.Name.Local == "a" || e.Name.Local == "r")
}

// firstBut picks whatever came first, but for acknowledgements unless the pattern
// is one.
func (p *Pattern) firstBut(in []*Element) int {
	for i, e := range in {
		if IsAck(p.want) || !IsAck(e) {
			return i
		}
	}
	return -1
}

// noted returns an element that was expected and came, and notes a resumption.
func (c *Client) noted(e *Element) *Element {
	c.session = c.session || e.Name.Space == nsAcks && e.Name.Local == "resumed"
	return e
}

// Expect takes the next element and compares it with a pattern. vars may be nil.
// Acknowledgements and requests for one are passed over and left, unless the
// pattern is one.
func (c *Client) Expect(ctx context.Context, pattern string, vars Vars) (*Element, error) {
	p, err := ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	if vars == nil {
		vars = Vars{}
	}
	e, err := c.take(ctx, p.firstBut)
	if err != nil {
		return nil, c.fail("waiting for %s: %w", pattern, err)
	}
	if err := p.Match(e, vars); err != nil {
		return e, c.fail("%w\n wanted %s\n    got %s", err, pattern, e)
	}
	return c.noted(e), nil
}

// ExpectStanza takes the first element that matches a pattern and leaves what
// came before it for later calls.
func (c *Client) ExpectStanza(ctx context.Context, pattern string, vars Vars) (*Element, error) {
	p, err := ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	if vars == nil {
		vars = Vars{}
	}
	var why error
	e, err := c.take(ctx, func(in []*Element) int {
		why = nil
		for i, e := range in {
			err := p.Match(e, vars)
			if err == nil {
				return i
			}
			why = errors.Join(why, fmt.Errorf("%w in %s", err, e))
		}
		return -1
	})
	if err != nil {
		return nil, c.fail("waiting for %s: %w\nnot matching:\n%v", pattern, err, why)
	}
	return c.noted(e), nil
}

// Drain returns what arrived and nobody has taken, and takes it.
func (c *Client) Drain() []*Element {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.in
	c.in = nil
	return out
}

// Sync returns once the server has answered a ping (XEP-0199): by then it has
// handled everything that this client sent before. What else arrives is kept.
func (c *Client) Sync(ctx context.Context) error {
	_, err := c.IQ(ctx, "get", c.opts.Domain, "<ping xmlns='urn:xmpp:ping'/>")
	var refused *IQError
	if errors.As(err, &refused) {
		return nil // also an answer
	}
	return err
}

// Quiet fails with [ErrQuiet] if anything waits or arrives within d.
func (c *Client) Quiet(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	e, err := c.take(ctx, first)
	if err == nil {
		return c.fail("%w: %s", ErrQuiet, e)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return c.fail("waiting in quiet: %w", err)
}
