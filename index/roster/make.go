package roster

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Founding is what the creator of a folder says about it and about itself.
type Founding struct {
	Label string     // of the folder, 1 to MaxLabel bytes
	Name  string     // of the device
	Role  entry.Role // of the device; sync if zero
}

// NewFolder founds a folder: its ID, and the statement to [Roster.Add] first.
// The salt is read from random. Errors wrap [ErrStatement], or are those of
// the signer and of random.
func NewFolder(by Signer, f Founding, now version.Clock, random io.Reader) (entry.FolderID, Statement, error) {
	s := Statement{
		Kind: Found, Clock: after(now), Author: by.ID(), Subject: by.ID(),
		Name: f.Name, Role: f.Role, Rights: Every, Label: f.Label, Payload: make([]byte, saltSize),
	}
	if s.Role == 0 {
		s.Role = entry.RoleSync
	}
	if _, err := io.ReadFull(random, s.Payload); err != nil {
		return entry.FolderID{}, Statement{}, fmt.Errorf("found folder %q: %w", f.Label, err)
	}
	s.Folder = s.founds()
	if err := s.check(); err != nil {
		return entry.FolderID{}, Statement{}, fmt.Errorf("found folder %q: %w", f.Label, err)
	}
	s, err := s.Sign(by)
	return s.Folder, s, err
}

// Admission is what a device is admitted as.
type Admission struct {
	Device entry.DeviceID
	Name   string
	Role   entry.Role
	Rights Rights // what the author does not hold is not granted
}

// Admit makes a device a member, or changes what it was granted. The signer is
// a member or a recovery key. Rights cannot be taken back so; to take them,
// revoke the device and admit it again. An admission sets aside every
// revocation of the device known here.
//
// It only makes the statement; the caller then adds it. Errors wrap [ErrRight]
// or [ErrStatement].
func (r Roster) Admit(by Signer, a Admission, now version.Clock) (Statement, error) {
	if !r.rights(by.ID()).Has(MayShare) || a.Device == by.ID() {
		return Statement{}, fmt.Errorf("admit %q: %w", a.Device, ErrRight)
	}
	outs := r.state.outs[a.Device]
	s := Statement{Kind: Admit, Subject: a.Device, Name: a.Name, Role: a.Role, Rights: a.Rights}
	for i := range outs {
		s.Knows = append(s.Knows, outs[i].ID)
	}
	return r.complete(by, s, now)
}

// Revoke puts a device out, member or not, or ends a recovery key. The signer
// is a member or a recovery key. What the device said about others until now,
// as far as known here, remains in force, but for its revocations of those who
// revoke it; the rest is void. The recovery keys that it made are part of what
// remains.
//
// It only makes the statement; the caller then adds it. Errors wrap [ErrRight]
// or [ErrStatement].
func (r Roster) Revoke(by Signer, d entry.DeviceID, now version.Clock) (Statement, error) {
	if !r.rights(by.ID()).Has(MayRevoke) || d == by.ID() {
		return Statement{}, fmt.Errorf("revoke %q: %w", d, ErrRight)
	}
	s := Statement{Kind: Revoke, Subject: d}
	for i := range r.rooted {
		said := &r.rooted[i]
		if said.Author == d && r.state.final.stands[i] && !r.returns(said, by.ID()) {
			s.Knows = append(s.Knows, said.ID)
		}
	}
	return r.complete(by, s, now)
}

// returns tells whether s is a revocation of somebody who revokes its author:
// now, as revoker is about to, or already.
func (r Roster) returns(s *signed, revoker entry.DeviceID) bool {
	return s.Kind == Revoke && (s.Subject == revoker ||
		slices.ContainsFunc(r.state.outs[s.Author], func(out signed) bool { return out.Author == s.Subject }))
}

// Leave ends the signer's own membership. It only makes the statement; the
// caller then adds it. Errors wrap [ErrRight].
func (r Roster) Leave(by Signer, now version.Clock) (Statement, error) {
	if _, ok := r.Member(by.ID()); !ok {
		return Statement{}, fmt.Errorf("leave: %w", ErrRight)
	}
	return r.complete(by, Statement{Kind: Leave, Subject: by.ID()}, now)
}

// Describe gives the signer's own name and role. It only makes the statement;
// the caller then adds it. Errors wrap [ErrRight], also for a role that holds
// the key if the signer was admitted without it, or [ErrStatement].
func (r Roster) Describe(by Signer, name string, role entry.Role, now version.Clock) (Statement, error) {
	if m, ok := r.Member(by.ID()); !ok || !m.mayBe(role) {
		return Statement{}, fmt.Errorf("describe as %q, %s: %w", name, role, ErrRight)
	}
	return r.complete(by, Statement{Kind: Describe, Subject: by.ID(), Name: name, Role: role}, now)
}

// Claim ties a replica to the signer. It only makes the statement; the caller
// then adds it. Errors wrap [ErrRight] or [ErrStatement].
func (r Roster) Claim(by Signer, replica version.ReplicaID, now version.Clock) (Statement, error) {
	if _, ok := r.Member(by.ID()); !ok {
		return Statement{}, fmt.Errorf("claim replica %s: %w", replica, ErrRight)
	}
	return r.complete(by, Statement{Kind: Replica, Subject: by.ID(), Replica: replica}, now)
}

// complete completes, checks and signs a statement, with a clock later than all
// that stands about its subject.
func (r Roster) complete(by Signer, s Statement, now version.Clock) (Statement, error) {
	var earlier []signed
	for i, old := range r.rooted {
		if old.Subject == s.Subject && (old.self() || r.state.final.stands[i]) {
			earlier = append(earlier, old)
		}
	}
	s.Folder, s.Author, s.Clock = r.folder, by.ID(), after(now, earlier...)
	s.Knows = sorted(s.Knows)
	if err := s.check(); err != nil {
		return Statement{}, fmt.Errorf("%s %q: %w", s.Kind, s.Subject, err)
	}
	return s.Sign(by)
}

func sorted(ids []ID) []ID {
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
