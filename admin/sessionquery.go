package admin

import (
	"net/http"
	"net/netip"
	"net/url"

	"weir/jid"
	"weir/sessionmgr"
)

// SessionQuery says which sessions are meant: those that everything fits that
// isn't "". The zero SessionQuery is all.
type SessionQuery struct {
	Account   string
	State     string // a state of listings, or unauthed, unbound, bound, hibernating, available, interested
	Host      string
	Transport string
	Listener  string
	Mechanism string
	Address   string // an address, or a prefix such as 192.0.2.0/24
	Device    string // id
	Software  string // begins like this
}

// fields lists the parameters of a request with where they are in q.
func (q *SessionQuery) fields() map[string]*string {
	return map[string]*string{
		"account": &q.Account, "state": &q.State, "host": &q.Host, "transport": &q.Transport, "listener": &q.Listener,
		"mechanism": &q.Mechanism, "address": &q.Address, "device": &q.Device, "software": &q.Software,
	}
}

// path appends the query to a path, with more parameters.
func (q SessionQuery) path(path string, more url.Values) string {
	v := url.Values{}
	for name, field := range q.fields() {
		if *field != "" {
			v.Set(name, *field)
		}
	}
	for name, values := range more {
		v[name] = values
	}
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return path
}

// queryParameters are the names of all fields.
func queryParameters(more ...string) []string {
	return append([]string{"account", "state", "host", "transport", "listener", "mechanism", "address", "device", "software"}, more...)
}

// filter reads the query of a request.
func filter(r *http.Request) (f sessionmgr.Filter, err error) {
	var q SessionQuery
	for name, field := range q.fields() {
		*field = r.URL.Query().Get(name)
	}
	f = sessionmgr.Filter{Transport: q.Transport, Listener: q.Listener, Mechanism: q.Mechanism, Device: q.Device, Software: q.Software}
	if q.Host != "" { // as the header of a stream has it, in any letters
		host, err := jid.New("", q.Host, "")
		if err != nil {
			return f, problemf(http.StatusBadRequest, "host %q: %v", q.Host, err)
		}
		f.Host = host.Domain()
	}
	if q.State != "" {
		if f.Phase, err = sessionmgr.ParsePhase(q.State); err != nil {
			return f, problemf(http.StatusBadRequest, "%v", err)
		}
	}
	if q.Account != "" {
		account, err := jid.Parse(q.Account)
		if err != nil {
			return f, problemf(http.StatusBadRequest, "account %q: %v", q.Account, err)
		}
		switch {
		case account.Local() == "":
			return f, problemf(http.StatusBadRequest, "account %q: an account has the form user@domain", q.Account)
		case account.IsFull(): // one session is meant, and not all of its account
			return f, problemf(http.StatusBadRequest, "account %q has a resource (what stands behind the slash), an account has none", q.Account)
		}
		f.Account = account
	}
	if q.Address != "" {
		if f.Peer, err = netip.ParseAddrPort(q.Address); err == nil {
			f.Peer = netip.AddrPortFrom(f.Peer.Addr().Unmap(), f.Peer.Port())
		} else if f.Remote, err = prefix(q.Address); err != nil {
			return f, problemf(http.StatusBadRequest, "%q is no address, no prefix such as 192.0.2.0/24 and no end of a connection such as 192.0.2.1:50000", q.Address)
		}
	}
	return f, nil
}

// prefix reads a prefix, or an address as the prefix of itself.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if a := p.Addr(); err == nil && a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p, err
}
