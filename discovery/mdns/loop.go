package mdns

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	retryPause  = time.Minute // before sockets are tried again unasked
	answerPause = time.Second // between two answers about one offer, RFC 6762 section 6
	goodbye     = 0           // the time to live of what is no longer offered

	packetRate  = 100 // packets a second that are looked at
	packetBurst = 200
)

// loop is a running speaker: the sockets, their readers and what has been said
// on them. It belongs to the goroutine of [Speaker.Run].
type loop struct {
	speaker *Speaker
	packets chan packet
	socks   *sockets
	stop    chan struct{} // closed when the readers of socks shall end
	readers sync.WaitGroup
	retry   time.Time
	budget  budget
	said    map[*offer]bool // announced on the present sockets
	silent  bool            // the last attempt to open failed, and was logged
}

// open joins the links, or plans to try again.
func (l *loop) open() {
	socks, err := openSockets()
	if err != nil {
		if !l.silent && !errors.Is(err, errNoLink) {
			l.speaker.log.Warn("devices on the local network cannot be found", "error", err)
		}
		if errors.Is(err, errNoLink) {
			err = nil
		}
		l.speaker.standing(false, err)
		l.silent = true
		l.retry = time.Now().Add(retryPause)
		return
	}
	l.speaker.standing(true, nil)
	l.silent = false
	l.socks = socks
	l.stop = make(chan struct{})
	if socks.v4 != nil {
		l.read(socks.read4)
	}
	if socks.v6 != nil {
		l.read(socks.read6)
	}
}

// read starts a reader that ends when the sockets are closed.
func (l *loop) read(next func([]byte) (packet, bool, error)) {
	stop := l.stop
	l.readers.Go(func() {
		buf := make([]byte, maxPacket+1)
		for {
			p, ok, err := next(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || !ok {
				// Errors here come from the link, one for each packet
				// that is lost; they pass.
				select {
				case <-stop:
					return
				default:
					continue
				}
			}
			select {
			case l.packets <- p:
			case <-stop:
				return
			}
		}
	})
}

// leave closes the sockets and waits for their readers.
func (l *loop) leave() {
	if l.socks == nil {
		return
	}
	close(l.stop)
	l.socks.close()
	l.readers.Wait()
	l.socks = nil
	clear(l.said)
}

func (l *loop) close() {
	for it := range l.said {
		l.say(it, goodbye)
	}
	l.leave()
}

// due is how long nothing need be done.
func (l *loop) due(now time.Time) time.Duration {
	if l.socks == nil {
		return max(0, l.retry.Sub(now))
	}
	s := l.speaker
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := never
	for _, it := range s.offers {
		wait = min(wait, it.plan.in(now))
	}
	for _, b := range s.browses {
		wait = min(wait, b.plan.in(now))
	}
	return wait
}

// tend does what is due.
func (l *loop) tend(now time.Time) {
	s := l.speaker
	s.mu.Lock()
	again := s.refresh || (l.socks == nil && !l.retry.After(now))
	s.refresh = false
	s.mu.Unlock()
	if again {
		l.leave()
		l.open()
		l.restart(now)
	}
	if l.socks == nil {
		return
	}
	announce, due, withdrawn := l.dueNow(now)
	for _, it := range withdrawn {
		l.say(it, goodbye)
		delete(l.said, it)
	}
	for _, it := range announce {
		it.answered = now
		l.say(it, ttl)
		l.said[it] = true
	}
	for _, b := range due {
		// Callbacks are called without the lock: they have locks of their own.
		if b.wanted == nil || b.wanted() {
			l.ask(b)
			continue
		}
		s.mu.Lock()
		b.plan.stop()
		s.mu.Unlock()
	}
}

// restart begins all schedules anew.
func (l *loop) restart(now time.Time) {
	s := l.speaker
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.offers {
		it.plan.restart(now)
	}
	for _, b := range s.browses {
		b.plan.restart(now)
	}
}

func (l *loop) dueNow(now time.Time) (announce []*offer, ask []*Browse, withdrawn []*offer) {
	s := l.speaker
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.offers {
		if it.plan.take(now) {
			announce = append(announce, it)
		}
	}
	for it := range l.said {
		if !slices.Contains(s.offers, it) {
			withdrawn = append(withdrawn, it)
		}
	}
	for _, b := range s.browses {
		if b.plan.take(now) {
			ask = append(ask, b)
		}
	}
	return announce, ask, withdrawn
}

// say sends an offer to every link, each with its own addresses.
func (l *loop) say(it *offer, seconds uint32) {
	if l.socks == nil {
		return
	}
	for _, k := range l.socks.links {
		r := record{service: it.Service, instance: it.Instance, port: it.Port, text: it.Text(k.addrs), addrs: k.addrs}
		b, err := announcement(r, seconds)
		if err != nil {
			l.speaker.log.Debug("nothing announced", "error", err)
			return
		}
		l.socks.send(k, b)
	}
}

func (l *loop) ask(b *Browse) {
	q, err := question(b.service)
	if err != nil {
		l.speaker.log.Debug("nothing asked", "error", err)
		return
	}
	for _, k := range l.socks.links {
		l.socks.send(k, q)
	}
}

// hear takes in a packet: questions plan an answer, answers go to the browses.
func (l *loop) hear(p packet) {
	now := time.Now()
	if !l.budget.take(now) {
		return
	}
	l.overhear(p.from)
	h, err := parse(p.data)
	if err != nil {
		return
	}
	if !h.response {
		l.answer(h.asked, now)
		return
	}
	for _, a := range h.answers {
		l.tell(a, p.from)
	}
}

// answer plans to say the offers that are asked for: at once, or when the pause
// since they were last said is over.
func (l *loop) answer(asked []string, now time.Time) {
	s := l.speaker
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.offers {
		name := serviceName(it.Service)
		if !slices.Contains(asked, name) && !slices.Contains(asked, it.Instance+"."+name) {
			continue
		}
		at := now
		if next := it.answered.Add(answerPause); next.After(now) {
			at = next
		}
		it.plan.advance(at)
	}
}

// tell hands an answer to the browses for its service; own offers are no news.
func (l *loop) tell(a said, from netip.Addr) {
	s := l.speaker
	s.mu.Lock()
	browses := slices.Clone(s.browses)
	own := slices.ContainsFunc(s.offers, func(it *offer) bool { return a.name == it.Instance+"."+serviceName(it.Service) })
	s.mu.Unlock()
	if own {
		return
	}
	for _, b := range browses {
		if instance, ok := instanceOf(a.name, b.service); ok {
			b.found(Answer{Instance: instance, Text: a.text, From: from})
		}
	}
}

// budget is a token bucket over the packets that are looked at.
type budget struct {
	tokens float64
	at     time.Time
}

func (b *budget) take(now time.Time) bool {
	if b.at.IsZero() {
		b.tokens = packetBurst
	} else {
		b.tokens = min(packetBurst, b.tokens+now.Sub(b.at).Seconds()*packetRate)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
