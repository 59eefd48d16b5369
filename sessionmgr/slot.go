package sessionmgr

import "fmt"

// Slot is a place for one module's data on every session: typed, owned by the
// module, gone with the session. Make one per module with [NewSlot] and keep it.
type Slot[T any] struct{ index int }

// slotted is what a module has put on a session. Most sessions have two or three.
type slotted struct {
	index int
	value any
}

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
	for _, x := range s.slots {
		if x.index == k.index {
			v, ok = x.value.(T)
			return v, ok
		}
	}
	return v, false
}

// Set puts v there. What v points to is the module's to guard.
func (k Slot[T]) Set(s *Session, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		if s.slots[i].index == k.index {
			s.slots[i].value = v
			return
		}
	}
	s.slots = append(s.slots, slotted{k.index, v})
}
