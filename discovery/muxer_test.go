package discovery

import (
	"context"
	"io"
	"math/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// slow is a stream that passes so many bytes a second on.
type slow struct {
	network.Stream
	rate int
}

func (s slow) Write(b []byte) (done int, err error) {
	for done < len(b) && err == nil {
		part := b[done:min(len(b), done+s.rate/20)]
		<-time.After(time.Duration(len(part)) * time.Second / time.Duration(s.rate))
		var n int
		n, err = s.Stream.Write(part)
		done += n
	}
	return done, err
}

// TestARelayWithALowLimitIsNoDeadPath sends half a minute's worth through a relay
// that a person has limited.
func TestARelayWithALowLimitIsNoDeadPath(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	const rate = 20 << 10
	a, b := start(t, Options{Beyond: true, Relay: RelayOff}), start(t, Options{Beyond: true, Relay: RelayOff})
	r := start(t, Options{Beyond: true, Relay: RelayOn, Relayed: func(s network.Stream) network.Stream { return slow{s, rate} }})
	sever(a, b)
	trust(t, a, b, r)
	trust(t, b, a, r)
	trust(t, r, a, b)
	a.Remember(r.ID(), bare(r))
	b.Remember(r.ID(), bare(r))
	serveBulk(b)
	ra := run(t, a)
	run(t, b)
	run(t, r)
	ra.expect(t, Connected, b.ID())
	var kept network.Conn
	since := time.Now()
	eventually(t, "one connection of two made at once is left", func() bool {
		if all := a.Host().Network().ConnsToPeer(b.ID()); len(all) != 1 || all[0] != kept {
			since, kept = time.Now(), nil
			if len(all) == 1 {
				kept = all[0]
			}
		}
		return kept != nil && time.Since(since) > 2*time.Second
	})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := bulk(ctx, a, b.ID(), io.LimitReader(rand.New(rand.NewSource(1)), 30*rate)); err != nil {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
