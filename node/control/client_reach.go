package control

import (
	"context"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Devices implements [Peers].
func (c *Client) Devices(ctx context.Context) ([]PeerStatus, error) {
	a, err := ask(ctx, answerTime, c.peers.Devices, &controlpb.DevicesRequest{})
	if err != nil {
		return nil, err
	}
	return convert(a.GetPeers(), peerFromWire), nil
}

// ExamineReach implements [Roles].
func (c *Client) ExamineReach(ctx context.Context, device string, told func(Reached) error) error {
	q := &controlpb.ExamineReachRequest{Device: text(device)}
	return follow(ctx, c.roles.ExamineReach, q, func(e *controlpb.ExamineReachResponse) error {
		if r := reachedFromWire(e); r != (Reached{}) { // a newer device may tell more
			return told(r)
		}
		return nil
	})
}
