package main

import (
	"fmt"
	"strings"
)

// talk is how far the conversation with one account has come. It is kept, so a
// question may be answered after a restart, and from another device.
type talk struct {
	Asked bool   `json:"asked"` // for the order
	Order string `json:"order"`
	// Last is the id of the message that was heard last, and Answer what was said to
	// it: after a crash a message may come again, and is then answered the same.
	Last   string `json:"last"`
	Answer string `json:"answer"`
}

// longest bounds an order, in bytes, since it is kept.
const longest = 200

// next is what becomes of a talk by a message with an id ("" if it has none), and
// the answer to it. It does nothing else: it may be called twice for one message.
func (t talk) next(said, id string) (talk, string) {
	if id != "" && id == t.Last {
		return t, t.Answer
	}
	t.Last, t.Answer = "", ""
	said = strings.TrimSpace(said)
	switch word := strings.ToLower(said); {
	case word == "lunch":
		t.Asked, t.Answer = true, "What would you like?"
	case t.Asked && len(said) > longest:
		t.Answer = "In fewer words, please."
	case t.Asked:
		t.Asked, t.Order, t.Answer = false, said, fmt.Sprintf("%s it is.", said)
	case word == "order" && t.Order != "":
		t.Answer = fmt.Sprintf("You wanted %s.", t.Order)
	case word == "order":
		t.Answer = "You have ordered nothing."
	default:
		t.Answer = `Say "lunch" to order, or "order" to hear what you ordered.`
	}
	if len(id) <= longest {
		t.Last = id
	}
	return t, t.Answer
}
