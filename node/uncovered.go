package node

import (
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/recovery/cover"
)

// recoveryProblems are the conditions of the folder's recovery keys.
func (s *share) recoveryProblems() (out []control.Problem) {
	if s.tree == nil {
		return nil
	}
	s.mu.Lock()
	r, keys := s.roster, folderKeys(s.record.Keys)
	s.mu.Unlock()
	names := func(id entry.DeviceID) string {
		if id == s.device.id.ID() {
			return "this device"
		}
		return s.makerName(r, id)
	}
	for _, p := range cover.Problems(r, keys, names) {
		out = append(out, control.Problem{Code: p.Code, Message: p.Message, Hint: p.Hint})
	}
	return out
}

// makerName is what the maker of recovery words is called, member or not.
func (s *share) makerName(r roster.Roster, id entry.DeviceID) string {
	if m, is := r.Member(id); is {
		return s.device.shownMember(id, m.Name)
	}
	return cover.Former(r, id)
}

// examineRecovery finds recovery words whose maker is out of the folder.
func (s *share) examineRecovery() (out []control.Finding) {
	own, _, _ := s.device.words.InEffect()
	r := s.rosterNow()
	for _, p := range cover.Orphaned(r, own.Device(), func(id entry.DeviceID) string { return s.makerName(r, id) }) {
		out = append(out, control.Finding{Subject: "folder " + s.controlled().Label, Code: p.Code, Message: p.Message, Hint: p.Hint})
	}
	return out
}
