package roster

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// device signs with a key made from its letter; its ID is its public key.
type device struct{ key ed25519.PrivateKey }

func newDevice(letter byte) device {
	return device{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{letter}, ed25519.SeedSize))}
}

func (d device) ID() entry.DeviceID {
	return entry.DeviceID(hex.EncodeToString(d.key.Public().(ed25519.PublicKey)))
}

func (d device) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(d.key, msg), nil }

func verify(id entry.DeviceID, msg, sig []byte) bool {
	key, err := hex.DecodeString(string(id))
	return err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, msg, sig)
}

// The cast: A founds, the others are admitted by somebody; T turns out to be a
// thief's, and U, V are what a thief admits.
var (
	a, b, c, d = newDevice('a'), newDevice('b'), newDevice('c'), newDevice('d')
	t0, u, v   = newDevice('t'), newDevice('u'), newDevice('v')
)

var letters = map[entry.DeviceID]string{
	a.ID(): "A", b.ID(): "B", c.ID(): "C", d.ID(): "D", t0.ID(): "T", u.ID(): "U", v.ID(): "V", w.ID(): "W",
}

const both = MayShare | MayRevoke

// story tells a roster step by step; the first refusal ends the test.
type story struct {
	t   teller
	now version.Clock
	Roster
}

// teller is what testing.T and rapid.T have in common.
type teller interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func found(t teller, by device) *story {
	t.Helper()
	id, s, err := NewFolder(by, Founding{Label: "Documents", Name: "founder"}, 1000, bytes.NewReader(make([]byte, saltSize)))
	if err != nil {
		t.Fatal(err)
	}
	st := &story{t: t, now: 1000, Roster: New(id, verify)}
	return st.add(s)
}

func (st *story) add(statements ...Statement) *story {
	st.t.Helper()
	next, _, refused := st.Add(statements...)
	if len(refused) > 0 {
		st.t.Fatal(refused[0])
	}
	st.Roster = next
	return st
}

func (st *story) tick() version.Clock { st.now += 10; return st.now }

func (st *story) made(s Statement, err error) Statement {
	st.t.Helper()
	if err != nil {
		st.t.Fatal(err)
	}
	return s
}

func (st *story) admit(by, who device, rights Rights) *story {
	st.t.Helper()
	a := Admission{Device: who.ID(), Name: letters[who.ID()], Role: entry.RoleSync, Rights: rights}
	return st.add(st.made(st.Admit(by, a, st.tick())))
}

func (st *story) revoke(by, who device) *story {
	st.t.Helper()
	return st.add(st.made(st.Revoke(by, who.ID(), st.tick())))
}

// raw signs a statement that no honest device would make.
func (st *story) raw(by device, s Statement) Statement {
	st.t.Helper()
	s.Folder, s.Author = st.folder, by.ID()
	if s.Subject == "" {
		s.Subject = by.ID()
	}
	if s.Clock == 0 {
		s.Clock = 1
	}
	return st.made(s.Sign(by))
}

func (st *story) rawAdmit(by, who device) Statement {
	return st.raw(by, Statement{Kind: Admit, Subject: who.ID(), Role: entry.RoleSync, Rights: both})
}

func (st *story) rawRevoke(by, who device) Statement {
	return st.raw(by, Statement{Kind: Revoke, Subject: who.ID()})
}

func (st *story) expect(want string) *story {
	st.t.Helper()
	if got := who(st.Roster); got != want {
		st.t.Fatalf("members are %q, want %q", got, want)
	}
	return st
}

// who lists the members' letters, in their order.
func who(r Roster) string {
	var out []string
	for _, m := range r.Members() {
		out = append(out, letters[m.Device])
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}
