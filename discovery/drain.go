package discovery

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

// drainID asks how many streams the other side has on this very connection, the
// one it is asked on left out: four bytes, big-endian.
const drainID protocol.ID = "/kith/drain/1"

const drainWait = 5 * time.Second // for the answer

// drain closes the relayed connections of a device that is connected directly
// too, when neither side has a stream on them any more: to close a connection
// loses what is on its way. One side asks; after a minute neither waits longer.
func (n *Net) drain(ctx context.Context, d *device) {
	now := time.Now()
	var spent []*link
	n.mu.Lock()
	for _, l := range d.links {
		if !l.spent.IsZero() && !l.asked.Add(drainEvery).After(now) {
			l.asked = now
			spent = append(spent, l)
		}
	}
	n.mu.Unlock()
	for _, l := range spent {
		late := now.Sub(l.spent) > drainFor
		if !late && (!d.larger || streamsOn(l.conn) > 0 || theirStreams(ctx, l.conn) != 0) {
			continue
		}
		n.log.Debug("relay no longer needed", "device", d.id, "relay", l.relay, "after", now.Sub(l.spent))
		_ = l.conn.Close()
	}
}

// streamsOn counts the streams on a connection that carry anything.
func streamsOn(c network.Conn) int {
	count := 0
	for _, s := range c.GetStreams() {
		if p := s.Protocol(); p != drainID && p != pulseID && p != doubtID {
			count++
		}
	}
	return count
}

// tellStreams answers the other side's question.
func (n *Net) tellStreams(s network.Stream) {
	defer func() { _ = s.Close() }()
	_ = s.SetDeadline(time.Now().Add(drainWait))
	var answer [4]byte
	binary.BigEndian.PutUint32(answer[:], uint32(streamsOn(s.Conn())))
	_, _ = s.Write(answer[:])
}

// selectOn agrees on the protocol of a stream.
func selectOn(s network.Stream, id protocol.ID) error {
	if err := msmux.SelectProtoOrFail(id, s); err != nil {
		return err
	}
	return s.SetProtocol(id)
}

// theirStreams asks it; it is negative if there is no answer.
func theirStreams(ctx context.Context, c network.Conn) int {
	ctx, cancel := context.WithTimeout(ctx, drainWait)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return -1
	}
	defer func() { _ = s.Reset() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	_ = s.SetDeadline(time.Now().Add(drainWait))
	var answer [4]byte
	if err := selectOn(s, drainID); err != nil {
		return -1
	}
	if _, err := io.ReadFull(s, answer[:]); err != nil {
		return -1
	}
	return int(binary.BigEndian.Uint32(answer[:]))
}
