// Package roster knows who is a member of a folder: it keeps the signed
// statements by which members were admitted, described themselves, left and
// were revoked, and by which recovery keys were made, and works out what they
// amount to.
//
// A roster is a set. Two rosters merge by union, and what a set amounts to
// does not depend on the order in which its statements arrived, nor on any
// clock being right: a clock only says which of several descriptions of one
// device is the newest.
//
// # How a set is read
//
//   - The folder's ID is a hash of the one [Found] statement, so nobody can
//     found a folder again. The founder holds every right.
//   - An [Admit] counts if its author was admitted with [MayShare], by a chain
//     that starts at the founder. Nobody grants a right that they do not hold,
//     and a role without the key holds none.
//   - A [Revoke] counts if its author was admitted with [MayRevoke]. It puts
//     the subject out, whatever the clocks say, and beats every Admit of the
//     subject but those that name it: whoever admits a device again does so
//     knowingly. A [Leave] does the same to its author.
//   - A Revoke strikes what its subject ever said about others, but for the
//     statements that it names: those the revoker knew of and upholds. A thief
//     with a stolen key and a clock set back admits nobody. A device admitted
//     again stays struck: it may sync, and has no rights.
//   - Where revocations strike each other, all of them count: two devices that
//     revoke each other are both out.
//   - A [Recover] that grants rights makes its subject a recovery key, if its
//     author was admitted with MayShare and MayRevoke: what the subject says of
//     others then counts as if the author had admitted it with those rights,
//     but it is no member. A Revoke of it ends it for good, and strikes what it
//     said as it does a device's. A Recover without rights makes nothing, and
//     counts whoever its author is: it only carries keys.
//
// # Promises
//
//   - A revoked device, and whoever it admits unknown to its revoker, is no
//     member again through any statements of theirs, old, new or backdated; nor
//     is a recovery key that it makes unknown to its revoker ever one.
//   - It fails closed. The worst that a device which may revoke can do, even
//     once it is revoked itself, is to put members out, all of them if it is
//     thorough. Nobody gets in by that: the files stay where they are, and
//     their owner founds the folder anew.
//   - Kinds and roles of a later version of kith are kept and passed on, and
//     have no effect.
//   - A roster is bounded (see limits.go), and its last part is kept free for
//     revocations. Sets that reach the bounds may differ between devices.
//
// What is not promised: a device that left keeps the right to sign; one whose
// key may be misused must be revoked, even if it has left. And a revocation is
// void if its author is revoked by somebody who had not heard of it.
//
// A recovery key outlives its maker if the maker's revoker knew of it: else the
// words on paper would be worth nothing once the laptop that made them is
// stolen. So whoever revokes a device is to look at the [Roster.Recoveries]
// that it made, and to revoke those as well whose words nobody has at home.
//
// All values are immutable and safe for concurrent use. The package is pure.
package roster

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Verify tells whether sig is the signature of device over msg. It must be
// pure and safe for concurrent use.
type Verify func(device entry.DeviceID, msg, sig []byte) bool

// Roster is the membership of one folder. The zero Roster belongs to no folder
// and refuses every statement; see [New].
type Roster struct {
	folder entry.FolderID
	verify Verify
	// rooted are the statements of devices that were ever admitted; strays
	// are those whose author may still prove to be. Both in canonical order.
	rooted, strays []signed
	state          *state
}

// signed is a verified statement under its identity.
type signed struct {
	ID
	Statement
	size int // bytes, encoded
}

// New is the empty roster of a folder, whose statements verify checks.
func New(folder entry.FolderID, verify Verify) Roster {
	return Roster{folder: folder, verify: verify, state: evaluate(nil)}
}

// Add merges statements into the roster. It returns the new roster, the
// statements that were news, and an error for each that was refused: those
// wrap [ErrStatement], [ErrFolder], [ErrSignature] or [ErrFull] and name the
// author. Statements whose author was not (yet) admitted are set aside, in
// small number: they count from when their author proves to have been.
func (r Roster) Add(statements ...Statement) (out Roster, added []Statement, refused []error) {
	known := make(map[ID]bool, len(r.rooted)+len(r.strays)+len(statements))
	for _, s := range r.all() {
		known[s.ID] = true
	}
	var news []signed
	for i := range statements {
		s := signed{ID: statements[i].ID(), Statement: statements[i].Clone()}
		if known[s.ID] {
			continue
		}
		if err := r.check(&s); err != nil {
			refused = append(refused, err)
			continue
		}
		known[s.ID] = true
		news = append(news, s)
	}
	if len(news) == 0 {
		return r, nil, refused
	}
	out, full := r.merge(news)
	for _, s := range news {
		if err := full[s.ID]; err != nil {
			refused = append(refused, err)
			continue
		}
		added = append(added, s.Statement.Clone())
	}
	return out, added, refused
}

// merge admits what the bounds allow of news, and evaluates the result.
func (r Roster) merge(news []signed) (Roster, map[ID]error) {
	every := append(r.all(), news...)
	slices.SortFunc(every, compare)
	admitted := evaluate(every).ever
	fresh := make(map[ID]bool, len(news))
	for _, s := range news {
		fresh[s.ID] = true
	}

	var use usage
	for _, s := range every {
		if !fresh[s.ID] {
			use.add(&s, admitted[s.Author])
		}
	}
	out := Roster{folder: r.folder, verify: r.verify}
	full := make(map[ID]error)
	for _, s := range every {
		rooted := admitted[s.Author]
		if fresh[s.ID] {
			if err := use.room(&s, rooted); err != nil {
				full[s.ID] = err
				continue
			}
			use.add(&s, rooted)
		}
		if rooted {
			out.rooted = append(out.rooted, s)
		} else {
			out.strays = append(out.strays, s)
		}
	}
	out.state = evaluate(out.rooted)
	return out, full
}

// all is a fresh slice of everything kept.
func (r Roster) all() []signed { return slices.Concat(r.rooted, r.strays) }

// compare is the canonical order: by clock, then by identity.
func compare(a, b signed) int {
	return cmp.Or(cmp.Compare(a.Clock, b.Clock), bytes.Compare(a.ID[:], b.ID[:]))
}

// Folder is the folder whose roster this is.
func (r Roster) Folder() entry.FolderID { return r.folder }

// Statements are all that a peer should be told, in canonical order: what
// devices said that were ever admitted, unknown kinds included.
func (r Roster) Statements() []Statement {
	out := make([]Statement, len(r.rooted))
	for i := range r.rooted {
		out[i] = r.rooted[i].Clone()
	}
	return out
}

// Digest stands for the set of [Roster.Statements]: two peers with equal
// digests have nothing to tell each other.
func (r Roster) Digest() [16]byte {
	h := sha256.New()
	h.Write([]byte("kith roster digest v1\x00"))
	h.Write(r.folder[:])
	ids := make([]ID, len(r.rooted))
	for i := range r.rooted {
		ids[i] = r.rooted[i].ID
	}
	for _, id := range sorted(ids) {
		h.Write(id[:])
	}
	return [16]byte(h.Sum(nil))
}

// after is a clock at wall time now that is later than all of the given
// statements, within [version.MaxClock].
func after(now version.Clock, statements ...signed) version.Clock {
	at := max(now, 1)
	for i := range statements {
		at = max(at, statements[i].Clock+1)
	}
	return min(at, version.MaxClock)
}
