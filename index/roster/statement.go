package roster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Kind is what a statement does.
type Kind uint8

// The kinds. They are signed and kept for ever: never renumber them.
const (
	// Found starts a folder; its author is the first member.
	Found Kind = 1
	// Admit makes the subject a member, or changes what it was granted.
	Admit Kind = 2
	// Leave ends the author's own membership.
	Leave Kind = 3
	// Revoke ends the subject's membership.
	Revoke Kind = 4
	// Replica ties a replica to its author.
	Replica Kind = 5
	// Describe gives the author's own name, and the role it has chosen
	// within what it was granted.
	Describe Kind = 6
	// Recover keeps the folder's keys for a recovery key, and makes it one if
	// it grants rights.
	Recover Kind = 7
)

var kindNames = map[Kind]string{
	Found: "found", Admit: "admit", Leave: "leave", Revoke: "revoke", Replica: "replica", Describe: "describe",
	Recover: "recover",
}

func (k Kind) String() string {
	if n, ok := kindNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Rights are what a member may do beyond syncing, a set of bits.
type Rights uint32

// The rights. They are signed and kept for ever: never renumber them.
const (
	// MayShare is the right to admit devices.
	MayShare Rights = 1 << 0
	// MayRevoke is the right to revoke members.
	MayRevoke Rights = 1 << 1
	// Every right there is, and those that later versions add.
	Every = ^Rights(0)
)

// Has tells whether r holds all of the rights in want.
func (r Rights) Has(want Rights) bool { return r&want == want }

func (r Rights) String() string {
	var names []string
	if r.Has(MayShare) {
		names = append(names, "share")
	}
	if r.Has(MayRevoke) {
		names = append(names, "revoke")
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, "+")
}

// ID identifies a statement: the SHA-256 of its [Statement.Bytes].
type ID [32]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Statement is one signed fact about the membership of one folder. The
// functions that make one are [NewFolder] and the methods of [Roster].
type Statement struct {
	Folder  entry.FolderID
	Kind    Kind
	Clock   version.Clock // when the author says it was made
	Author  entry.DeviceID
	Subject entry.DeviceID // the author itself in all kinds but Admit, Revoke and Recover

	Name    string            // of the subject; Found, Admit, Describe
	Role    entry.Role        // of the subject; Found, Admit, Describe
	Rights  Rights            // of the subject; Found, Admit, Recover
	Label   string            // of the folder; Found
	Replica version.ReplicaID // Replica

	// Knows names other statements, ascending. In an Admit: what had put the
	// subject out, and is set aside. In a Revoke: what the subject said about
	// others, and remains in force.
	Knows []ID

	// Payload is the salt of a Found, and in a Recover what is sealed to the
	// subject; other kinds known here have none. Later kinds carry in it what
	// no other field can.
	Payload []byte

	// Signature is the author's, over Bytes.
	Signature []byte
}

// Signer signs as a device.
type Signer interface {
	ID() entry.DeviceID
	Sign(msg []byte) ([]byte, error)
}

// Sign is s signed by its author, whom by must be: it returns an error that
// wraps [ErrSignature] otherwise, or the signer's own.
func (s Statement) Sign(by Signer) (Statement, error) {
	if by.ID() != s.Author {
		return Statement{}, fmt.Errorf("%w: %s signs for %s", ErrSignature, by.ID(), s.Author)
	}
	sig, err := by.Sign(s.Bytes())
	if err != nil {
		return Statement{}, fmt.Errorf("sign %s statement: %w", s.Kind, err)
	}
	s.Signature = sig
	return s, nil
}

// ID is the statement's identity, which its signature is no part of.
func (s *Statement) ID() ID { return sha256.Sum256(s.Bytes()) }

// self tells whether the author speaks of itself.
func (s *Statement) self() bool { return s.Subject == s.Author }

// Clone is a copy of s that shares nothing with it.
func (s *Statement) Clone() Statement {
	c := *s
	c.Knows = slices.Clone(s.Knows)
	c.Payload = bytes.Clone(s.Payload)
	c.Signature = bytes.Clone(s.Signature)
	return c
}

// founds is the ID of the folder that a Found statement founds: a hash of all
// that it says. The salt makes it as good as random.
func (s *Statement) founds() entry.FolderID {
	c := *s
	c.Folder = entry.FolderID{}
	sum := sha256.Sum256(append([]byte("kith folder v1\x00"), c.Bytes()...))
	return entry.FolderID(sum[:len(entry.FolderID{})])
}
