package membership

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
)

// Peer is a device that this one is paired with, or has learnt of through the
// roster of a folder that both are in.
type Peer struct {
	ID        entry.DeviceID
	Name      string    // as it calls itself
	Given     string    // as it is called here; empty: by its own name
	Addresses []string  // where it was reached, as multiaddrs, best first
	Asked     []string  // where a person has said that it is: by hand, or by its ticket
	PairedAt  time.Time // zero: known through a roster only
	LastSeen  time.Time // zero if never since pairing
}

// Bounds of what is kept about peers.
const (
	maxPeers     = 1024
	maxAddresses = 64
	maxAsked     = 16
	maxAddress   = 512 // bytes
	maxDevice    = 128 // bytes
)

// seenEvery is how often Saw writes at most.
const seenEvery = time.Minute

// Peers are the paired devices, by ID.
func (s *Store) Peers() []Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedBy(cloned(s.peers, Peer.clone), func(p Peer) string { return string(p.ID) })
}

// Peer is the paired device of that ID.
func (s *Store) Peer(id entry.DeviceID) (Peer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.peers[id]
	return p.clone(), ok
}

// PutPeer adds or replaces a peer. It wraps [ErrInvalid] or [ErrFull].
func (s *Store) PutPeer(p Peer) error {
	p = p.normal()
	if err := p.check(); err != nil {
		return fmt.Errorf("put peer %q: %w", p.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	peers := maps.Clone(s.peers)
	peers[p.ID] = p
	if len(peers) > maxPeers {
		return fmt.Errorf("put peer %q: %w: %d peers", p.ID, ErrFull, len(peers))
	}
	if err := s.writePeers(peers); err != nil {
		return fmt.Errorf("put peer %q: %w", p.ID, err)
	}
	return nil
}

// RemovePeer forgets a peer; one that is not known is forgotten already.
func (s *Store) RemovePeer(id entry.DeviceID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.peers[id]; !ok {
		return nil
	}
	peers := maps.Clone(s.peers)
	delete(peers, id)
	if err := s.writePeers(peers); err != nil {
		return fmt.Errorf("remove peer %q: %w", id, err)
	}
	return nil
}

// Saw notes that a peer was there, and where; no addresses means that they are
// as before. It may be called as often as one likes: the note is in effect at
// once, but written at most once a minute, or with the next change of a peer,
// or by [Store.Flush]. It wraps [ErrUnknown] for a device that is no peer, and
// [ErrInvalid].
func (s *Store) Saw(id entry.DeviceID, at time.Time, addresses ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.peers[id]
	if !ok {
		return fmt.Errorf("note peer %q: %w", id, ErrUnknown)
	}
	p.LastSeen = at
	if len(addresses) > 0 {
		p.Addresses = addresses
	}
	p = p.normal()
	if err := p.check(); err != nil {
		return fmt.Errorf("note peer %q: %w", id, err)
	}
	s.peers[id] = p
	s.peersStale = true
	if since := at.Sub(s.peersWritten); since >= 0 && since < seenEvery {
		return nil
	}
	s.peersWritten = at
	return s.flush()
}

// Flush writes what [Store.Saw] has noted; the owner calls it before it ends.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flush()
}

func (s *Store) flush() error {
	if !s.peersStale {
		return nil
	}
	if err := s.writePeers(s.peers); err != nil {
		return fmt.Errorf("write peers: %w", err)
	}
	return nil
}

// writePeers makes peers durable, and then puts them into effect.
func (s *Store) writePeers(peers map[entry.DeviceID]Peer) error {
	list := sortedBy(peers, func(p Peer) string { return string(p.ID) })
	text, err := encodePeers(list)
	if err != nil {
		return err
	}
	if err := store(filepath.Join(s.dir, peersFile), text); err != nil {
		return err
	}
	s.peers, s.peersStale = peers, false
	return nil
}

// Ask puts addresses that a person has given before those given earlier, of
// which the oldest give way.
func (p *Peer) Ask(addresses ...string) { p.Asked = merged(addresses, p.Asked, maxAsked) }

// Learn puts addresses at which the peer was met before those known already,
// of which the oldest give way.
func (p *Peer) Learn(addresses ...string) { p.Addresses = merged(addresses, p.Addresses, maxAddresses) }

func merged(first, then []string, most int) []string {
	var out []string
	for _, a := range slices.Concat(first, then) {
		if len(out) < most && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (p Peer) clone() Peer {
	p.Addresses, p.Asked = slices.Clone(p.Addresses), slices.Clone(p.Asked)
	return p
}

// normal is a copy of p as it will be read again.
func (p Peer) normal() Peer {
	p.Addresses, p.Asked = append([]string(nil), p.Addresses...), append([]string(nil), p.Asked...)
	p.PairedAt, p.LastSeen = normalTime(p.PairedAt), normalTime(p.LastSeen)
	return p
}

func (p *Peer) check() error {
	switch {
	case !deviceID(p.ID):
		return fmt.Errorf("%w: device ID %q", ErrInvalid, p.ID)
	case !short(p.Name, entry.MaxAuthorName):
		return fmt.Errorf("%w: name %q", ErrInvalid, p.Name)
	case p.Given != "" && !short(p.Given, entry.MaxAuthorName):
		return fmt.Errorf("%w: name %q", ErrInvalid, p.Given)
	case !writable(p.PairedAt) || !writable(p.LastSeen):
		return fmt.Errorf("%w: times %v, %v", ErrInvalid, p.PairedAt, p.LastSeen)
	case len(p.Addresses) > maxAddresses || len(p.Asked) > maxAsked:
		return fmt.Errorf("%w: %d and %d addresses", ErrInvalid, len(p.Addresses), len(p.Asked))
	case slices.ContainsFunc(p.Addresses, badAddress) || slices.ContainsFunc(p.Asked, badAddress):
		return fmt.Errorf("%w: addresses %q, %q", ErrInvalid, p.Addresses, p.Asked)
	}
	return nil
}

func badAddress(a string) bool { return a == "" || !short(a, maxAddress) }

// deviceID tells whether d may be one; it becomes part of file names.
func deviceID(d entry.DeviceID) bool {
	alien := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}
	return d != "" && len(d) <= maxDevice && !bytes.ContainsFunc([]byte(d), alien)
}

// short tells whether s can be stored as text of at most limit bytes.
func short(s string, limit int) bool { return len(s) <= limit && utf8.ValidString(s) }

// cloned is a copy of a map and of all in it.
func cloned[K comparable, V any](m map[K]V, clone func(V) V) map[K]V {
	out := make(map[K]V, len(m))
	for k, v := range m {
		out[k] = clone(v)
	}
	return out
}
