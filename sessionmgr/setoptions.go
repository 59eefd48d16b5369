package sessionmgr

// SetOptions changes the settings of a manager that runs. Each holds from its next
// use on: sessions keep the time that their clients were promised for a
// resumption, and nobody is sent away by a lower limit. Domains, Conflict, Log and
// Metrics stay as they are. An error changes nothing.
func (m *Manager) SetOptions(o Options) error {
	o.Domains, o.Conflict, o.Log, o.Metrics = m.o.Domains, m.o.Conflict, m.o.Log, m.o.Metrics
	o.setDefaults()
	if err := o.Validate(); err != nil {
		return err
	}
	m.live.Store(&o)
	return nil
}

// opts are the settings of the moment.
func (m *Manager) opts() *Options { return m.live.Load() }
