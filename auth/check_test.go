package auth

import (
	"strings"
	"testing"

	"weir/storage"
)

// TestCheckRecord: what the service writes is right, and damage in each place of it
// is not, unless it makes another record that could be.
func TestCheckRecord(t *testing.T) {
	o, _ := apart(t)
	s, st := newService(t, o)
	byPassword(t, s, someAgent, none)
	keys := []storage.Key{
		{Kind: storage.KindKeyVal, Table: tableServer, Account: serverAccount},
		{Kind: storage.KindMap, Table: tableAccounts, Account: domain, Item: "juliet"},
		{Kind: storage.KindMap, Table: tableDevices, Account: juliet().String(), Item: s.DeviceID(juliet(), someAgent.ID)},
	}
	for _, k := range keys {
		rec, err := st.Get(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckRecord(k, rec); err != nil {
			t.Errorf("%s: %v", k.Table, err)
		}
		for n := range len(rec) {
			if k.Table == tableServer && n >= 2+keyIDLength+secretLength && (n-2-keyIDLength-secretLength)%5 == 0 {
				continue // a count less
			}
			if CheckRecord(k, rec[:n]) == nil {
				t.Errorf("%s cut at %d is right", k.Table, n)
			}
		}
		if CheckRecord(k, append([]byte{77}, rec[1:]...)) == nil {
			t.Errorf("%s of a newer version is right", k.Table)
		}
	}
	dev := someDevice()
	id := keys[2].Item
	for name, change := range map[string]func(*device){
		"no token":       func(d *device) { d.tokens = [2]*token{} },
		"mechanism 5":    func(d *device) { d.tokens[tokenNew].mechanism = 5 },
		"backwards":      func(d *device) { d.tokens[tokenNew].expires = d.tokens[tokenNew].issued.AddDate(0, 0, -1) },
		"as it is right": func(*device) {},
	} {
		d := *dev
		tok := *dev.tokens[tokenNew]
		d.tokens[tokenNew] = &tok
		change(&d)
		if err := CheckRecord(storage.Key{Kind: storage.KindMap, Table: tableDevices, Account: "a@b", Item: id}, d.encode()); (err == nil) != strings.HasPrefix(name, "as") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, k := range []storage.Key{
		{Table: tableDevices, Account: "a@b", Item: "broken"},
		{Table: tableDevices, Account: "a@b", Item: id + id},
		{Table: tableAccounts, Account: domain, Item: "Juliet"},
		{Table: tableAccounts, Account: domain, Item: ""},
	} {
		rec := dev.encode()
		if k.Table == tableAccounts {
			rec, _ = st.Get(t.Context(), keys[1])
		}
		if CheckRecord(k, rec) == nil {
			t.Errorf("%s has %q", k.Table, k.Item)
		}
	}
	if err := CheckRecord(storage.Key{Table: "another"}, nil); err != nil {
		t.Error(err)
	}
}
