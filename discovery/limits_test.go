package discovery

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
)

// TestOneDeviceDoesNotKeepOthersFromTalking has a paired device begin streams
// without ever naming a protocol on them.
func TestOneDeviceDoesNotKeepOthersFromTalking(t *testing.T) {
	t.Parallel()
	a, b := connected(t, Options{})
	h := stranger(t, libp2p.ResourceManager(&network.NullResourceManager{}))
	if err := a.Trust(h.ID()); err != nil {
		t.Fatal(err)
	}
	c, ok := knock(t, h, a.Net, tcpOf(a.Net))
	if !ok {
		t.Fatal("it is trusted, and not let in")
	}
	for range 1500 {
		if _, err := c.NewStream(t.Context()); err != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, c := range b.Host().Network().ConnsToPeer(a.ID()) {
		if !alive(ctx, c) {
			t.Error("the other device takes this one for dead")
		}
		s, err := b.Host().NewStream(ctx, a.ID(), pulseID)
		if err != nil {
			t.Errorf("no stream: %v", err)
			continue
		}
		_ = s.Reset()
	}
}
