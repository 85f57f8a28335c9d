package roster

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// mayRecover is what the maker of a recovery key must hold: nobody makes one
// that could do more.
const mayRecover = MayShare | MayRevoke

// Recovery is a key that was made to get the folder back with when its devices
// are lost. It is no member. It may admit and revoke as far as its maker could,
// and ends when it is revoked.
type Recovery struct {
	Device entry.DeviceID // as which it signs
	Rights Rights
	// Author and Clock are those of the earliest statement that makes it.
	Author entry.DeviceID
	Clock  version.Clock
	Sealed []SealedKeys // as of [Roster.SealedTo]
}

// SealedKeys are keys of the folder that were sealed to a recovery key.
type SealedKeys struct {
	Author  entry.DeviceID
	Clock   version.Clock
	Payload []byte // of whatever form the author gave it
}

// keysOnly tells whether a Recover makes nothing: it keeps keys for a recovery
// key that others vouch for.
func (s *Statement) keysOnly() bool { return s.Kind == Recover && s.Rights == 0 }

// collectRecoveries finds the recovery keys that are made by a statement that
// stands, and not revoked.
func (st *state) collectRecoveries() {
	st.recoveries = make(map[entry.DeviceID]Recovery)
	for i := range st.set {
		s := &st.set[i]
		if s.Kind != Recover || s.keysOnly() || !st.final.stands[i] || st.revoked[s.Subject] {
			continue
		}
		if _, earlier := st.recoveries[s.Subject]; !earlier {
			rights := st.final.rights[s.Subject]
			st.recoveries[s.Subject] = Recovery{Device: s.Subject, Rights: rights, Author: s.Author, Clock: s.Clock}
		}
	}
}

// Recoveries are the recovery keys of the folder, by device ID. Each can read
// all of the folder and decide who is a member: people should be shown them.
func (r Roster) Recoveries() []Recovery {
	if r.state == nil {
		return nil
	}
	out := make([]Recovery, 0, len(r.state.recoveries))
	for _, rec := range r.state.recoveries {
		rec.Sealed = r.SealedTo(rec.Device)
		out = append(out, rec)
	}
	slices.SortFunc(out, func(a, b Recovery) int { return cmp.Compare(a.Device, b.Device) })
	return out
}

// IsRecovery tells whether the device ID is that of a recovery key that is in
// force.
func (r Roster) IsRecovery(d entry.DeviceID) bool {
	if r.state == nil {
		return false
	}
	_, ok := r.state.recoveries[d]
	return ok
}

// SealedTo is all that was ever sealed to a recovery key, in force or not,
// latest clock first: who has the key can read it, whatever became of its
// rights. Whoever was once a member may be its author, so it may be false: what
// it says of a key shows only in opening something with that key.
func (r Roster) SealedTo(d entry.DeviceID) []SealedKeys {
	var out []SealedKeys
	for i := range slices.Backward(r.rooted) {
		if s := &r.rooted[i]; s.Kind == Recover && s.Subject == d {
			out = append(out, SealedKeys{Author: s.Author, Clock: s.Clock, Payload: slices.Clone(s.Payload)})
		}
	}
	return out
}

// Recover makes subject a recovery key, with the signer's rights, and keeps the
// payload for it: keys of the folder that are sealed to it. Who makes the
// statement vouches that the words which stand for the key are in the hands of
// the folder's owner. The signer is a member that holds the key, [MayShare] and
// [MayRevoke]; the subject is none, and was never revoked: a key that was once
// revoked stays so.
//
// It only makes the statement; the caller then adds it. Errors wrap [ErrRight],
// or [ErrStatement] if the payload is empty or above [MaxPayload].
func (r Roster) Recover(by Signer, subject entry.DeviceID, payload []byte, now version.Clock) (Statement, error) {
	m, ok := r.Member(by.ID())
	_, member := r.Member(subject)
	if !ok || !m.Role.HoldsKey() || !m.Rights.Has(mayRecover) || member || r.Revoked(subject) {
		return Statement{}, fmt.Errorf("make recovery key %q: %w", subject, ErrRight)
	}
	return r.complete(by, Statement{Kind: Recover, Subject: subject, Rights: Every, Payload: slices.Clone(payload)}, now)
}

// AddKeys keeps another payload for a recovery key that is in force: the keys
// of later epochs, say. The signer is a member that holds the key; it vouches
// for nothing, so that a recovery key of a thief, to which others have added
// keys in good faith, still ends with the thief.
//
// It only makes the statement; the caller then adds it. Errors wrap [ErrRight],
// or [ErrStatement] if the payload is empty or above [MaxPayload].
func (r Roster) AddKeys(by Signer, subject entry.DeviceID, payload []byte, now version.Clock) (Statement, error) {
	if m, ok := r.Member(by.ID()); !ok || !m.Role.HoldsKey() || !r.IsRecovery(subject) {
		return Statement{}, fmt.Errorf("add keys for recovery key %q: %w", subject, ErrRight)
	}
	return r.complete(by, Statement{Kind: Recover, Subject: subject, Payload: slices.Clone(payload)}, now)
}

// rights are those with which a device may speak now, as a member or a recovery
// key.
func (r Roster) rights(d entry.DeviceID) Rights {
	if r.IsRecovery(d) {
		return r.state.recoveries[d].Rights
	}
	m, _ := r.Member(d)
	return m.Rights
}
