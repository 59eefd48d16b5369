package attacks

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"weir/integration/testserver"
)

const header = "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' " +
	"xmlns:stream='http://etherx.jabber.org/streams'>"

// opened connects and opens a stream, up to the features.
func (h *house) opened(t testing.TB, listener string) *wire {
	t.Helper()
	w := h.dial(t, listener)
	w.reopen()
	return w
}

// reopen sends a stream header and takes the server's and its features.
func (w *wire) reopen() string {
	w.t.Helper()
	w.send(header)
	w.expect(w.next(), "header")
	return w.find("<stream:features")
}

func saslElement(name, attrs, data string) string {
	return "<" + name + " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'" + attrs + ">" + b64(data) + "</" + name + ">"
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// sasl sends the first or a further message of an exchange and returns the answer.
func (w *wire) auth(mechanism, message string) string {
	return w.send(saslElement("auth", " mechanism='"+mechanism+"'", message)).next()
}

func (w *wire) respond(message string) string {
	return w.send(saslElement("response", "", message)).next()
}

// data is what a challenge or success carries.
func (w *wire) data(element string) string {
	w.t.Helper()
	_, rest, _ := strings.Cut(element, ">")
	text, _, _ := strings.Cut(rest, "<")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !strings.HasPrefix(element, "<challenge") && !strings.HasPrefix(element, "<success") {
		w.t.Fatalf("neither challenge nor success: %s", element)
	}
	return string(raw)
}

// exchange is one SCRAM-SHA-256 exchange (RFC 5802 §5), in pieces that can be
// tampered with.
type exchange struct {
	gs2, user, password, nonce string
	serverFirst                string
	binding                    string // data behind the GS2 header in c=
}

func newExchange(user, password string) *exchange {
	return &exchange{gs2: "n,,", user: user, password: password, nonce: "rOprNGfwEbeRWgbNEkqO"}
}

func (x *exchange) firstBare() string { return "n=" + x.user + ",r=" + x.nonce }

// attribute returns one value of the server's first message.
func (x *exchange) attribute(name string) string {
	for part := range strings.SplitSeq(x.serverFirst, ",") {
		if v, ok := strings.CutPrefix(part, name+"="); ok {
			return v
		}
	}
	return ""
}

// final is the client's final message: right, if withoutProof isn't changed.
func (x *exchange) final() string {
	return x.prove("c=" + b64(x.gs2+x.binding) + ",r=" + x.attribute("r"))
}

// prove adds the proof for a final message.
func (x *exchange) prove(withoutProof string) string {
	salt, _ := base64.StdEncoding.DecodeString(x.attribute("s"))
	iterations, _ := strconv.Atoi(x.attribute("i"))
	salted, err := pbkdf2.Key(sha256.New, x.password, salt, max(iterations, 1), 32)
	if err != nil {
		panic(err)
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	signature := mac(stored[:], x.firstBare()+","+x.serverFirst+","+withoutProof)
	for i := range key {
		key[i] ^= signature[i]
	}
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(key)
}

// begin sends the first message and keeps the server's.
func (w *wire) begin(x *exchange) *exchange {
	w.t.Helper()
	x.serverFirst = w.data(w.auth("SCRAM-SHA-256", x.gs2+x.firstBare()))
	return x
}

// authenticate logs in on an opened stream and opens it anew.
func (w *wire) authenticate(user string) string {
	w.t.Helper()
	w.user = user
	x := w.begin(newExchange(user, testserver.Password(user)))
	w.expect(w.respond(x.final()), "success")
	return w.reopen()
}

// authed is a stream of a user who has logged in but not bound a resource.
func (h *house) authed(t testing.TB, user string) *wire {
	t.Helper()
	w := h.opened(t, testserver.Insecure)
	w.authenticate(user)
	return w
}

// login is a stream of a user with a resource.
func (h *house) login(t testing.TB, user, resource string) *wire {
	t.Helper()
	w := h.authed(t, user)
	w.bind(resource)
	return w
}

func (w *wire) bind(resource string) {
	w.t.Helper()
	w.expect(w.send(bindIQ("bind1", resource)).next(), "result")
	w.jid = w.user + "@localhost/" + resource
}

func bindIQ(id, resource string) string {
	return "<iq type='set' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource +
		"</resource></bind></iq>"
}

// online is login with initial presence.
func (h *house) online(t testing.TB, user, resource string) *wire {
	t.Helper()
	w := h.login(t, user, resource)
	w.send("<presence/>").find("<presence", "from='"+w.jid+"'")
	return w
}

// ask sends a request and returns its answer, skipping what came before.
func (w *wire) ask(kind, to, payload string) string {
	w.t.Helper()
	id := "ask" + strconv.Itoa(len(w.all()))
	if to != "" {
		to = " to='" + to + "'"
	}
	return w.send("<iq type='" + kind + "' id='" + id + "'" + to + ">" + payload + "</iq>").find("id='" + id + "'")
}

// sync waits until everything sent so far has been handled, and returns what
// came meanwhile.
func (w *wire) sync() []string {
	w.t.Helper()
	id := fmt.Sprintf("sync%d", len(w.all()))
	w.send("<iq type='get' id='" + id + "' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	return w.until("id='" + id + "'")
}

// exported is the channel binding tls-exporter of the connection (RFC 9266 §2).
func (w *wire) exported() string {
	state := w.conn.(*tls.Conn).ConnectionState()
	b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}
