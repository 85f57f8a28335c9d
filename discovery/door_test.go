package discovery

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
)

// TestStrangersAtTheOpenDoorLeaveRoomForOthers has all who may come in begin
// streams without ever naming a protocol on them.
func TestStrangersAtTheOpenDoorLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	a, b := connected(t, Options{})
	a.HandlePairing(pairID, func(s network.Stream) { _ = s.Close() })
	a.OpenDoor()
	for range maxStrangers {
		h := stranger(t, libp2p.ResourceManager(&network.NullResourceManager{}))
		c, ok := knock(t, h, a.Net, tcpOf(a.Net))
		if !ok {
			t.Fatal("not let in at the open door")
		}
		for range 1000 {
			if _, err := c.NewStream(t.Context()); err != nil {
				break
			}
		}
	}
	began := time.Now()
	eventually(t, "most are given up", func() bool {
		return !slices.ContainsFunc(a.Host().Network().Conns(), func(c network.Conn) bool {
			return a.gate.visiting(c) && len(c.GetStreams()) > strangerStreams
		})
	})
	if took := time.Since(began); took > strangerNegot/2 {
		t.Errorf("that took %s", took)
	}
	s, err := speak(t, b.Host().Network().ConnsToPeer(a.ID())[0], pulseID)
	if err != nil {
		t.Fatalf("a paired device cannot speak: %v", err)
	}
	_ = s.Reset()
}
