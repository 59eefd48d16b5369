package sessionmgr

import "fmt"

// Slot is a place for one module's data on every session: typed, owned by the
// module, gone with the session. Make one per module with [NewSlot] and keep it.
type Slot[T any] struct{ index int }

// NewSlot adds a slot to the sessions of m. Call it before the first session is
// opened, from a module's New. The name is for listings and must be new.
func NewSlot[T any](m *Manager, name string) Slot[T] {
	for _, n := range m.slotNames {
		if n == name {
			panic(fmt.Sprintf("sessionmgr: two slots named %q", name)) // wiring mistake, seen at the first start
		}
	}
	m.slotNames = append(m.slotNames, name)
	return Slot[T]{index: len(m.slotNames) - 1}
}

// Get returns what the module put there, or ok=false.
func (k Slot[T]) Get(s *Session) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.index >= len(s.slots) {
		return v, false
	}
	v, ok = s.slots[k.index].(T)
	return v, ok
}

// Set puts v there. What v points to is the module's to guard.
func (k Slot[T]) Set(s *Session, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.slots) <= k.index {
		s.slots = append(s.slots, nil)
	}
	s.slots[k.index] = v
}
