package node

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/recovery"
)

// recoveryProblems are the conditions of the folder's recovery keys.
func (s *share) recoveryProblems() (out []control.Problem) {
	if s.tree == nil {
		return nil
	}
	all := s.recoveries()
	var by []string
	for _, r := range all {
		name := "this device"
		if r.Author != s.device.id.ID() {
			name = s.makerName(r.Author)
		}
		by = append(by, fmt.Sprintf("by %s on %s", name, r.Clock.Time().Local().Format(time.DateOnly)))
		if lacks := s.unkept(&r); lacks > 0 {
			out = append(out, control.Problem{
				Code: "recovery_incomplete", Message: fmt.Sprintf("the recovery words do not open what is sealed with %d of the folder's keys", lacks),
				Hint: "kith recovery create on another device makes others, which open all of it",
			})
		}
	}
	if len(all) > 1 {
		out = append(out, control.Problem{
			Code: "recovery_several", Message: fmt.Sprintf("%d sets of recovery words open the folder, made %s", len(all), strings.Join(by, ", ")),
			Hint: "whoever has one of them reads everything; kith recovery create, where one was made, puts another in its place",
		})
	}
	return out
}

// unkept is how many keys of the folder nobody has kept for a recovery key.
func (s *share) unkept(r *roster.Recovery) int {
	for i := range r.Sealed {
		public, _, err := recovery.Read(r.Device, r.Sealed[i].Payload)
		if err != nil {
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(public.Missing(folderKeys(s.record.Keys), payloads(r.Sealed)))
	}
	return 0
}

// makerName is what the maker of recovery words is called, member or not.
func (s *share) makerName(id entry.DeviceID) string {
	if m, is := s.member(id); is {
		return s.device.shownMember(id, m.Name)
	}
	for _, st := range slices.Backward(s.statements()) {
		if st.Subject == id && st.Name != "" {
			return st.Name + " (no member any more)"
		}
	}
	return string(id)
}

// examineRecovery finds recovery words whose maker is out of the folder: if it
// was stolen, so may be the words.
func (s *share) examineRecovery() (out []control.Finding) {
	own, _, _ := s.device.words.inEffect()
	for _, r := range s.recoveries() {
		if _, in := s.member(r.Author); in || r.Device == own.Device() {
			continue
		}
		out = append(out, control.Finding{
			Subject: "folder " + s.controlled().Label, Code: "recovery_orphaned",
			Message: fmt.Sprintf("recovery words that were made by %s on %s still open it", s.makerName(r.Author), r.Clock.Time().Local().Format(time.DateOnly)),
			Hint:    "if you do not have them at home: kith recovery create puts others in their place",
		})
	}
	return out
}
