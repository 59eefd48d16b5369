package offers

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"

	"weir/jid"
	"weir/stanza"
)

// Namespaces of what is sent.
const (
	nsShare   = "urn:xmpp:sfs:0"
	nsRetract = "urn:xmpp:message-retract:1"
)

// message is what every receiver of an offer gets.
type message struct {
	id      string
	payload []byte
}

// to makes the stanza for one of them. SendAs says from whom.
func (m message) to(j jid.JID) (*stanza.Stanza, error) {
	return stanza.New(stanza.Message, "chat", m.id, jid.JID{}, j, m.payload)
}

type body struct {
	XMLName xml.Name `xml:"body"`
	Text    string   `xml:",chardata"`
}

// sharing is XEP-0447 §3.1, with the metadata of XEP-0446 §2.
type sharing struct {
	XMLName     xml.Name `xml:"urn:xmpp:sfs:0 file-sharing"`
	Disposition string   `xml:"disposition,attr"`
	File        metadata
	Sources     struct {
		URL struct {
			XMLName xml.Name `xml:"http://jabber.org/protocol/url-data url-data"`
			Target  string   `xml:"target,attr"`
		}
	} `xml:"sources"`
}

type metadata struct {
	XMLName xml.Name `xml:"urn:xmpp:file:metadata:0 file"`
	Type    string   `xml:"media-type,omitempty"`
	Name    string   `xml:"name,omitempty"`
	Size    int64    `xml:"size,omitempty"`
	Hash    *hash
	Desc    string `xml:"desc,omitempty"`
}

type hash struct {
	XMLName xml.Name `xml:"urn:xmpp:hashes:2 hash"`
	Algo    string   `xml:"algo,attr"`
	Value   string   `xml:",chardata"`
}

// fallback says that the body is for clients that don't know what it stands for.
type fallback struct {
	XMLName xml.Name  `xml:"urn:xmpp:fallback:0 fallback"`
	For     string    `xml:"for,attr"`
	Body    *struct{} `xml:"body"`
}

// link is XEP-0066 §3.
type link struct {
	XMLName xml.Name `xml:"jabber:x:oob x"`
	URL     string   `xml:"url"`
	Desc    string   `xml:"desc,omitempty"`
}

type originID struct {
	XMLName xml.Name `xml:"urn:xmpp:sid:0 origin-id"`
	ID      string   `xml:"id,attr"`
}

// link is the message that offers the file.
func (o Offer) link() (message, error) {
	f := o.File
	s := sharing{Disposition: "attachment", File: metadata{Type: f.Type, Name: f.Name, Size: f.Size, Desc: f.Description}}
	if len(f.SHA256) > 0 {
		s.File.Hash = &hash{Algo: "sha-256", Value: base64.StdEncoding.EncodeToString(f.SHA256)}
	}
	s.Sources.URL.Target = f.URL
	return written(o.ID, body{Text: f.URL}, s, fallback{For: nsShare, Body: &struct{}{}},
		link{URL: f.URL, Desc: f.Description}, originID{ID: o.ID})
}

// retract is XEP-0424 §3.
type retract struct {
	XMLName xml.Name `xml:"urn:xmpp:message-retract:1 retract"`
	ID      string   `xml:"id,attr"`
}

type store struct {
	XMLName xml.Name `xml:"urn:xmpp:hints store"`
}

// retraction is the message that takes it back.
func (o Offer) retraction() (message, error) {
	id := rand.Text()
	return written(id, retract{ID: o.ID}, fallback{For: nsRetract},
		body{Text: "/me retracted a file, but it's unsupported by your client."}, store{}, originID{ID: id})
}

// written is a message of several payloads.
func written(id string, all ...any) (message, error) {
	m := message{id: id}
	for _, v := range all {
		b, err := xml.Marshal(v)
		if err != nil {
			return message{}, err
		}
		m.payload = append(m.payload, b...)
	}
	return m, nil
}
