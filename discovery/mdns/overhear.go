package mdns

import (
	"net/netip"
	"slices"
	"sync"
)

// everything is the name by which RFC 6763 (section 9) asks for all kinds of
// services: printers, media players and computers with a responder answer it,
// whatever they offer.
const everything = "_services._dns-sd._udp"

// maxSources bounds the sources that are told apart.
const maxSources = 64

// Overheard is what came in on the link while it was listened to.
type Overheard struct {
	// Joined tells whether the speaker is on any link at all; if not, Failure
	// is why, nil if there is no interface that does multicast.
	Joined  bool
	Failure error
	Own     int          // packets of this machine that came back to it from a network, so not by loopback
	Others  []netip.Addr // other machines that were heard, 64 at most
}

// Ear listens to all that is said on the link, whatever it is about. Its
// methods may be called by several goroutines.
type Ear struct {
	speaker *Speaker
	browses []*Browse
	news    chan struct{}

	mu     sync.Mutex
	own    int
	others []netip.Addr
}

// Overhear listens from now on, and asks everybody on the link to say
// something, those who offer a service above all, until [Ear.Stop].
func (s *Speaker) Overhear(service string) *Ear {
	e := &Ear{speaker: s, news: make(chan struct{}, 1)}
	s.mu.Lock()
	s.ears = append(s.ears, e)
	s.mu.Unlock()
	for _, name := range []string{service, everything} {
		e.browses = append(e.browses, s.Browse(name, nil, func(Answer) {}))
	}
	return e
}

// News receives after something was heard, once for all of it.
func (e *Ear) News() <-chan struct{} { return e.news }

// Heard is what has been heard so far.
func (e *Ear) Heard() Overheard {
	e.speaker.mu.Lock()
	out := Overheard{Joined: e.speaker.joined, Failure: e.speaker.failure}
	e.speaker.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	out.Own, out.Others = e.own, slices.Clone(e.others)
	return out
}

// Stop ends the listening.
func (e *Ear) Stop() {
	for _, b := range e.browses {
		b.Stop()
	}
	s := e.speaker
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.ears, e); i >= 0 {
		s.ears = slices.Delete(s.ears, i, i+1)
	}
}

func (e *Ear) hear(from netip.Addr, own bool) {
	e.mu.Lock()
	switch {
	case own:
		e.own++
	case !slices.Contains(e.others, from) && len(e.others) < maxSources:
		e.others = append(e.others, from)
	}
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// overhear tells those who listen where a packet came from.
func (l *loop) overhear(from netip.Addr) {
	s := l.speaker
	s.mu.Lock()
	ears := slices.Clone(s.ears)
	s.mu.Unlock()
	if len(ears) == 0 || l.socks == nil {
		return
	}
	if from.IsLoopback() {
		return
	}
	own := slices.ContainsFunc(l.socks.links, func(k link) bool { return slices.Contains(k.addrs, from.WithZone("")) })
	for _, e := range ears {
		e.hear(from, own)
	}
}

// standing notes whether the speaker is on the link.
func (s *Speaker) standing(joined bool, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined, s.failure = joined, failure
}
