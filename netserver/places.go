package netserver

import "net/netip"

// placeCount counts the connections of one place: an IPv4 address or an IPv6 /64.
type placeCount struct{ all, unauth int }

// place returns where a peer counts; not valid: it isn't limited.
func (s *Server) place(a netip.Addr) netip.Addr {
	if !a.IsValid() || a.IsLoopback() && !s.opt.LimitLoopback {
		return netip.Addr{}
	}
	a = a.WithZone("")
	if a.Is6() {
		// One customer has at least a /64 of addresses to choose from.
		a = netip.PrefixFrom(a, 64).Masked().Addr()
	}
	return a
}

// place is where the connection counts for limits; invalid: nowhere. It is
// needed thrice, and not worth its memory.
func (c *Conn) place() netip.Addr { return c.srv.place(c.remote.Addr()) }

// admit counts a new connection unless its place is full; mu is held.
func (s *Server) admit(p netip.Addr) bool {
	if !p.IsValid() {
		return true
	}
	n := s.places[p]
	if n.all >= s.opt.MaxPerAddr || n.unauth >= s.opt.MaxUnauthPerAddr {
		return false
	}
	s.places[p] = placeCount{n.all + 1, n.unauth + 1}
	return true
}

// authenticated takes one connection of the place out of the lower limit.
func (s *Server) authenticated(p netip.Addr) {
	if !p.IsValid() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.places[p]; ok {
		n.unauth--
		s.places[p] = n
	}
}

// leave undoes admit; mu is held.
func (s *Server) leave(p netip.Addr, unauth bool) {
	n, ok := s.places[p]
	if !ok {
		return
	}
	n.all--
	if unauth {
		n.unauth--
	}
	if n.all <= 0 {
		delete(s.places, p)
		return
	}
	s.places[p] = n
}
