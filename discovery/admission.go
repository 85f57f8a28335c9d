package discovery

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
)

// Handshakes that are granted to a source address. A source that a paired
// device has come from is trusted with more, and does not share in the common
// allowance of the unknown ones, so a flood does not shut paired devices out.
const (
	strangerBurst, strangerRate = 16, 1.0 // handshakes, and handshakes a second
	vouchedBurst, vouchedRate   = 64, 8.0
	commonBurst, commonRate     = 128, 32.0 // of all unknown sources together
	vouchedFor                  = 24 * time.Hour
	maxSources                  = 1024
)

// errTooMany refuses a connection before its handshake.
var errTooMany = errors.New("too many new connections from there")

// admission is the resource manager of the host, with a doorman before it: new
// connections are turned away before they cost a handshake. It sits here and
// not in the gate because libp2p asks the gate about QUIC only after the
// handshake.
type admission struct {
	network.ResourceManager
	doorman *doorman
	now     func() time.Time
}

// OpenConnection is called for each connection before anything else is.
func (a *admission) OpenConnection(dir network.Direction, usefd bool, remote ma.Multiaddr) (network.ConnManagementScope, error) {
	if dir == network.DirInbound && !a.doorman.admit(remote, a.now()) {
		return nil, errTooMany
	}
	return a.ResourceManager.OpenConnection(dir, usefd, remote)
}

// source is who is counted: an IPv4 address or an IPv6 network, and TCP apart
// from UDP, where a source can be forged.
// What comes through a relay is apart from the relay, and all of it together: the
// relay, a paired device, sees to it that none of its callers takes it all.
type source struct {
	prefix  netip.Prefix
	udp     bool
	relayed bool
}

type bucket struct {
	tokens  float64
	at      time.Time
	vouched time.Time // when a paired device last came from there
}

// doorman holds a token bucket for each source. It is safe for concurrent use.
type doorman struct {
	mu      sync.Mutex
	sources map[source]*bucket
	common  [2]bucket // of all unknown sources, TCP and UDP
}

func newDoorman() *doorman { return &doorman{sources: map[source]*bucket{}} }

func sourceOf(remote ma.Multiaddr) source {
	ip, ok := ipOf(remote)
	if !ok {
		return source{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits)
	return source{prefix: p, udp: !isTCP(remote), relayed: isCircuit(remote)}
}

// admit takes a token for a new connection, if there is one.
func (d *doorman) admit(remote ma.Multiaddr, now time.Time) bool {
	s := sourceOf(remote)
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.relayed {
		return d.bucket(s, now).take(now, vouchedBurst, vouchedRate)
	}
	if d.sources[s] == nil && !d.shared(s).has(now, commonBurst, commonRate) {
		return false // and leave no trace: sources are cheap to make up
	}
	b := d.bucket(s, now)
	if !b.vouched.IsZero() && now.Sub(b.vouched) < vouchedFor {
		return b.take(now, vouchedBurst, vouchedRate)
	}
	if !b.take(now, strangerBurst, strangerRate) {
		return false
	}
	return d.shared(s).take(now, commonBurst, commonRate)
}

// vouch gives the token back for a connection that turned out to be of a paired
// device, and remembers its source as a good one.
func (d *doorman) vouch(remote ma.Multiaddr, now time.Time) {
	s := sourceOf(remote)
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.bucket(s, now)
	if b.vouched.IsZero() {
		common := d.shared(s)
		common.tokens = min(commonBurst, common.tokens+1)
		b.tokens = vouchedBurst
	} else {
		b.tokens = min(vouchedBurst, b.tokens+1)
	}
	b.vouched = now
}

func (d *doorman) shared(s source) *bucket {
	if s.udp {
		return &d.common[1]
	}
	return &d.common[0]
}

func (d *doorman) bucket(s source, now time.Time) *bucket {
	b := d.sources[s]
	if b == nil {
		if len(d.sources) >= maxSources {
			d.evict(now)
		}
		b = &bucket{}
		d.sources[s] = b
	}
	return b
}

// evict drops sources that are as good as new, or else the one that was quiet
// for longest; good ones only when there is nothing else.
func (d *doorman) evict(now time.Time) {
	var oldest source
	var worst *bucket
	for s, b := range d.sources {
		if b.vouched.IsZero() && now.Sub(b.at).Seconds()*strangerRate >= strangerBurst {
			delete(d.sources, s)
			continue
		}
		if worst == nil || b.vouched.Before(worst.vouched) || (b.vouched.Equal(worst.vouched) && b.at.Before(worst.at)) {
			oldest, worst = s, b
		}
	}
	if len(d.sources) >= maxSources {
		delete(d.sources, oldest)
	}
}

// take takes a token from a bucket that fills at rate, up to burst.
func (b *bucket) take(now time.Time, burst, rate float64) bool {
	if !b.has(now, burst, rate) {
		return false
	}
	b.tokens--
	return true
}

// has tells whether there is a token to take.
func (b *bucket) has(now time.Time, burst, rate float64) bool {
	if b.at.IsZero() {
		b.tokens = burst
	} else if past := now.Sub(b.at).Seconds(); past > 0 {
		b.tokens = min(burst, b.tokens+past*rate)
	}
	b.at = now
	return b.tokens >= 1
}
