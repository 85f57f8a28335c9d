package protocol

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// creeping is a stream that takes 5 kB a second, the lowest limit that there is.
type creeping struct {
	network.Stream
	until time.Time
}

func (c *creeping) SetWriteDeadline(t time.Time) error {
	c.until = t
	return nil
}

func (c *creeping) Write(b []byte) (done int, err error) {
	for done < len(b) {
		<-time.After(time.Second)
		if time.Now().After(c.until) {
			return done, os.ErrDeadlineExceeded
		}
		done = min(len(b), done+5_000)
	}
	return done, nil
}

func TestAStreamThatIsSlowIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Stream{&creeping{}, time.Minute, &traffic{}}
		block := make([]byte, 4<<20)
		if n, err := s.Write(block); n != len(block) || err != nil {
			t.Errorf("%d of %d bytes written, then: %v", n, len(block), err)
		}
	})
}
