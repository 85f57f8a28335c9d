package node

import (
	"time"

	"github.com/kithmesh/kith/node/control"
)

// protection says how far a backup protects what is here. One that holds all
// of it protects it as of now.
func (d *Device) protection(s *share, f *control.FolderStatus, m *control.MemberStatus, same bool) {
	g, known := d.guards.get(s.ID, m.ID)
	if !known && !same {
		return
	}
	m.ProtectedAsOf, m.Schedule, m.LastProven, m.LastDrill = g.AsOf, g.Schedule, g.Proven, g.Drilled
	if same {
		m.ProtectedAsOf = time.Now()
	}
	if m.ProtectedAsOf.After(f.ProtectedAsOf) {
		f.ProtectedAsOf = m.ProtectedAsOf
	}
}

// vaultStatus is the vault of this device, if it keeps one.
func (s *share) vaultStatus() *control.VaultStatus {
	if s.keeper == nil {
		return nil
	}
	st, set := s.keeper.Status(), s.keeper.Settings()
	return &control.VaultStatus{
		Versions: st.Totals.Versions, Bytes: st.Totals.PackBytes, Quota: set.Quota, Since: st.Totals.Oldest, Schedule: set.Schedule,
		LastRun: st.LastRun, NextRun: st.NextRun, Scrubbed: st.Scrubbed, Damaged: st.Totals.Damaged,
	}
}
