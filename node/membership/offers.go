package membership

import (
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

// Offer is a folder that a peer would share, and that nobody has accepted yet.
type Offer struct {
	Folder     entry.FolderID
	Label      string
	From       entry.DeviceID
	Role       entry.Role
	Keys       map[entry.Epoch]Key
	Statements []roster.Statement
	At         time.Time
}

// maxOffers bounds the offers of one peer.
const maxOffers = 64

// offerID is what an offer replaces another by.
type offerID struct {
	folder entry.FolderID
	from   entry.DeviceID
}

func (id offerID) String() string { return id.folder.String() + "-" + string(id.from) }

func (o *Offer) id() offerID { return offerID{o.Folder, o.From} }

// Offers are the open offers, by folder and then by peer.
func (s *Store) Offers() []Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedBy(cloned(s.offers, Offer.clone), func(o Offer) string { return o.id().String() })
}

// PutOffer adds an offer, or replaces that of the same folder and peer. It
// wraps [ErrInvalid], or [ErrFull] if the peer has made too many.
func (s *Store) PutOffer(o Offer) error {
	o = o.normal()
	if err := o.check(); err != nil {
		return fmt.Errorf("put offer of %s by %q: %w", o.Folder, o.From, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.offersBy(o.From); n >= maxOffers {
		if _, known := s.offers[o.id()]; !known {
			return fmt.Errorf("put offer of %s by %q: %w: %d offers", o.Folder, o.From, ErrFull, n)
		}
	}
	text, err := encodeOffer(&o)
	if err == nil {
		err = store(s.offerPath(o.id()), text)
	}
	if err != nil {
		return fmt.Errorf("put offer of %s by %q: %w", o.Folder, o.From, err)
	}
	s.offers[o.id()] = o
	return nil
}

// RemoveOffer forgets an offer; one that is not known is forgotten already.
func (s *Store) RemoveOffer(folder entry.FolderID, from entry.DeviceID) error {
	id := offerID{folder, from}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.offers[id]; !ok {
		return nil
	}
	if err := remove(s.offerPath(id)); err != nil {
		return fmt.Errorf("remove offer of %s by %q: %w", folder, from, err)
	}
	delete(s.offers, id)
	return nil
}

func (s *Store) offersBy(from entry.DeviceID) (n int) {
	for id := range s.offers {
		if id.from == from {
			n++
		}
	}
	return n
}

func (s *Store) offerPath(id offerID) string {
	return filepath.Join(s.dir, offersDir, id.String()+suffix)
}

func (o Offer) clone() Offer {
	o.Keys = maps.Clone(o.Keys)
	o.Statements = cloneStatements(o.Statements)
	return o
}

func (o Offer) normal() Offer {
	o = o.clone()
	o.At = normalTime(o.At)
	return o
}

func (o *Offer) check() error {
	switch {
	case o.Folder == entry.FolderID{}:
		return fmt.Errorf("%w: no folder ID", ErrInvalid)
	case !deviceID(o.From):
		return fmt.Errorf("%w: device ID %q", ErrInvalid, o.From)
	case !short(o.Label, roster.MaxLabel):
		return fmt.Errorf("%w: label %q", ErrInvalid, o.Label)
	case !writable(o.At):
		return fmt.Errorf("%w: time %v", ErrInvalid, o.At)
	case !knownRole(o.Role):
		return fmt.Errorf("%w: %s", ErrInvalid, o.Role)
	}
	if err := checkKeys(o.Keys); err != nil {
		return err
	}
	return checkStatements(o.Folder, o.Statements)
}
