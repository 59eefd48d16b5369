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

// Expect takes the next element and compares it with a pattern. vars may be nil.
func (c *Client) Expect(ctx context.Context, pattern string, vars Vars) (*Element, error) {
	p, err := ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	if vars == nil {
		vars = Vars{}
	}
	e, err := c.take(ctx, first)
	if err != nil {
		return nil, c.fail("waiting for %s: %w", pattern, err)
	}
	if err := p.Match(e, vars); err != nil {
		return e, c.fail("%w\n wanted %s\n    got %s", err, pattern, e)
	}
	return e, nil
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
	return e, nil
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
