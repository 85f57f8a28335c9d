// Package mdns finds and announces services on the local link by multicast
// DNS (RFC 6762) in the shape of DNS service discovery (RFC 6763).
//
// It speaks on every usable interface, IPv4 and IPv6, each on its own: what is
// announced on an interface names only the addresses of that interface. The
// loopback interface is one of them, so two devices on one machine without a
// network find each other too.
//
// # Promises
//
//   - Nothing here is believed: an [Answer] is what somebody on the link said.
//   - Nothing is remembered of what others say, and only a bounded number of
//     packets a second is read, so a flood costs no memory and little time.
//   - No usable interface, or a port 5353 that cannot be had, is no error: the
//     speaker is silent and tries again after [Speaker.Refresh] or a minute.
//   - With no browse that wants answers, nothing is sent and no timer runs;
//     only questions of others are answered.
//
// It is written here, and not taken from go-libp2p, for three reasons: that one
// announces the stable peer ID and all addresses to everyone on the link, it
// finds nothing on hosts without IPv6, and it keeps what it hears for as long
// as the sender says.
//
// A [Speaker] is safe for concurrent use. Callbacks are called one at a time
// from the goroutine of [Speaker.Run] and must not block.
package mdns

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Offer is a service that this device announces.
type Offer struct {
	Service  string // for example "_kith._udp"
	Instance string // one label, at most 63 bytes; unlike that of any other device
	Port     uint16 // for the SRV record, which other tools show
	// Text gives the strings of the TXT record, each at most 255 bytes, for
	// an interface with these addresses. It is asked for each packet.
	Text func(addrs []netip.Addr) []string
}

// Answer is what somebody on the link says to offer. None of it is verified.
type Answer struct {
	Instance string
	Text     []string
	From     netip.Addr // source of the packet; 127.0.0.1 for all from this machine's loopback
}

// Speaker announces offers and asks for those of others while it runs.
type Speaker struct {
	log  *slog.Logger
	wake chan struct{}

	mu      sync.Mutex
	offers  []*offer
	browses []*Browse
	ears    []*Ear
	refresh bool
	joined  bool  // on a link
	failure error // why not, unless there is none
}

type offer struct {
	Offer
	plan     schedule
	answered time.Time // when it was last said, to whomever
}

// Browse is a standing question. Its methods belong to the caller of
// [Speaker.Browse].
type Browse struct {
	speaker *Speaker
	service string
	wanted  func() bool
	found   func(Answer)
	plan    schedule
}

// New makes a speaker that is silent until [Speaker.Run]. A nil log is quiet.
func New(log *slog.Logger) *Speaker {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Speaker{log: log, wake: make(chan struct{}, 1)}
}

// Announce offers o until withdraw is called, which says goodbye to the link.
func (s *Speaker) Announce(o Offer) (withdraw func()) {
	it := &offer{Offer: o, plan: schedule{steps: announceSteps}}
	it.plan.restart(time.Now())
	s.mu.Lock()
	s.offers = append(s.offers, it)
	s.mu.Unlock()
	s.nudge()
	return func() {
		s.mu.Lock()
		if i := slices.Index(s.offers, it); i >= 0 {
			s.offers = slices.Delete(s.offers, i, i+1)
		}
		s.mu.Unlock()
		s.nudge()
	}
}

// Browse calls found for everything that is said about a service from now on,
// asked for or not, again and again. It asks at once and then ever more
// rarely, down to once a minute, for as long as wanted says so; a nil wanted
// always does.
func (s *Speaker) Browse(service string, wanted func() bool, found func(Answer)) *Browse {
	b := &Browse{speaker: s, service: service, wanted: wanted, found: found, plan: schedule{steps: askSteps, repeat: true}}
	b.plan.restart(time.Now())
	s.mu.Lock()
	s.browses = append(s.browses, b)
	s.mu.Unlock()
	s.nudge()
	return b
}

// Ask asks now, and begins anew with frequent questions. It does nothing if
// frequent questions are being asked already.
func (b *Browse) Ask() {
	b.speaker.mu.Lock()
	if !b.plan.early() {
		b.plan.restart(time.Now())
	}
	b.speaker.mu.Unlock()
	b.speaker.nudge()
}

// Stop ends the browse. A callback that is running may still finish after it.
func (b *Browse) Stop() {
	s := b.speaker
	s.mu.Lock()
	if i := slices.Index(s.browses, b); i >= 0 {
		s.browses = slices.Delete(s.browses, i, i+1)
	}
	s.mu.Unlock()
}

// Refresh tells the speaker that interfaces or addresses have changed: it
// joins the link again, announces again and asks again.
func (s *Speaker) Refresh() {
	s.mu.Lock()
	s.refresh = true
	s.mu.Unlock()
	s.nudge()
}

func (s *Speaker) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run speaks until ctx ends, says goodbye, and returns nil. It waits for all
// that it has started.
func (s *Speaker) Run(ctx context.Context) error {
	l := &loop{speaker: s, packets: make(chan packet, 16), said: map[*offer]bool{}}
	defer l.close()
	l.open()
	for {
		timer := time.NewTimer(l.due(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case p := <-l.packets:
			l.hear(p)
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
		l.tend(time.Now())
	}
}
