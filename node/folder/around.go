package folder

import (
	"context"
	"crypto/rand"
	"encoding/binary"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/folder/merge"
)

// around is what an actor stands on: its disk, its index, what runs beside it,
// chance, and the rules that it goes by. Tests put others in its place, so
// that a mesh of actors runs in one goroutine and in virtual time, and so that
// a rule can be broken to see that somebody notices.
type around struct {
	open   func(a *actor) (ground, error)
	update func(db *index.DB, fn func(*index.Tx) error) error
	random func() uint64 // a number that nobody has had before, and not zero

	// beside runs fn beside the actor; join waits for all that runs so.
	beside func(d *disk, fn func())
	join   func(d *disk)
	// alone has looks and gatherings run in one goroutine each; nil: as they
	// are fastest.
	alone func(n int) bool
	// offer hands findings to the actor and waits until they are recorded.
	offer func(ctx context.Context, a *actor, f []look.Finding) error
	// post has the actor call fn, and waits until it has.
	post func(ctx context.Context, f *Folder, fn func(*actor)) error

	rules
}

// rules are the decisions that all else follows from.
type rules struct {
	decide func(l, r *entry.Entry, living bool) merge.Decision
	event  func(x *index.Folder, base version.Version, clock version.Clock) (version.Version, error)
	// copyName is the name of a conflict copy.
	copyName func(e *entry.Entry, device string, try int) entry.Path
	// nameFor tells whether a conflict copy may have a name, or whether just
	// its content has it already.
	nameFor func(a *actor, p entry.Path, lost *entry.Entry) (free, kept bool, err error)
}

// world is what an actor stands on outside of tests.
func world() around {
	return around{
		open:   openGround,
		update: (*index.DB).Update,
		random: random,
		beside: func(d *disk, fn func()) { d.users.Go(fn) },
		join:   func(d *disk) { d.users.Wait() },
		offer:  offer,
		post:   post,
		rules:  rules{decide: merge.Decide, event: newEvent, copyName: merge.CopyName, nameFor: nameFor},
	}
}

func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// newEvent is the version of a new change by this index on top of base.
func newEvent(x *index.Folder, base version.Version, clock version.Clock) (version.Version, error) {
	n, err := x.NextCount()
	if err != nil {
		return version.Version{}, err
	}
	return base.Next(x.Replica(), n, clock), nil
}
