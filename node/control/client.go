package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Client asks the device at the other end of a socket. It implements every
// group of a [Device]; errors wrap the same sentinels as on the device, and
// [ErrNotRunning], [ErrStopping], [ErrTimeout], [ErrDenied] or
// [ErrUnsupported] where the device could not be asked. When the caller's
// context is cancelled its cause is returned.
type Client struct {
	path      string
	transport *http.Transport
	lifecycle controlpb.LifecycleClient
	pairing   controlpb.PairingClient
	peers     controlpb.PeersClient
	folders   controlpb.FoldersClient
	sharing   controlpb.SharingClient
	states    controlpb.StatesClient
	paths     controlpb.PathsClient
	care      controlpb.CareClient
	roles     controlpb.RolesClient
	past      controlpb.PastClient
	snapshots controlpb.SnapshotsClient
	vaults    controlpb.VaultsClient
	proofs    controlpb.ProofsClient
	recovery  controlpb.RecoveryClient
	limits    controlpb.LimitsClient
}

var (
	_ Lifecycle = (*Client)(nil)
	_ Pairing   = (*Client)(nil)
	_ Peers     = (*Client)(nil)
	_ Folders   = (*Client)(nil)
	_ Sharing   = (*Client)(nil)
	_ States    = (*Client)(nil)
	_ Paths     = (*Client)(nil)
	_ Care      = (*Client)(nil)
	_ Roles     = (*Client)(nil)
	_ Past      = (*Client)(nil)
	_ Snapshots = (*Client)(nil)
	_ Vaults    = (*Client)(nil)
	_ Proofs    = (*Client)(nil)
	_ Recovery  = (*Client)(nil)
	_ Limits    = (*Client)(nil)
)

// Dial makes a client of the device at the socket, once something listens
// there: if not, the error wraps [ErrNotRunning], or [ErrDenied] if the
// socket is another user's. Close the client in the end.
func Dial(ctx context.Context, path string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	_ = conn.Close()
	return newClient(path), nil
}

func newClient(path string) *Client {
	t := &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		DisableCompression: true,
		IdleConnTimeout:    30 * time.Second,
	}
	h := &http.Client{Transport: t}
	const base = "http://kith" // the name is never looked up
	// On one device to make an answer smaller only takes time.
	plain := connect.WithAcceptCompression("gzip", nil, nil)
	o := connect.WithClientOptions(connect.WithReadMaxBytes(maxResponse), plain)
	return &Client{
		path: path, transport: t,
		lifecycle: controlpb.NewLifecycleClient(h, base, o),
		pairing:   controlpb.NewPairingClient(h, base, o),
		peers:     controlpb.NewPeersClient(h, base, o),
		folders:   controlpb.NewFoldersClient(h, base, o),
		sharing:   controlpb.NewSharingClient(h, base, o),
		states:    controlpb.NewStatesClient(h, base, o),
		paths:     controlpb.NewPathsClient(h, base, o),
		care:      controlpb.NewCareClient(h, base, o),
		roles:     controlpb.NewRolesClient(h, base, o),
		past:      controlpb.NewPastClient(h, base, o),
		snapshots: controlpb.NewSnapshotsClient(h, base, o),
		vaults:    controlpb.NewVaultsClient(h, base, o),
		proofs:    controlpb.NewProofsClient(h, base, o),
		recovery:  controlpb.NewRecoveryClient(h, base, o),
		limits:    controlpb.NewLimitsClient(h, base, o),
	}
}

// Close ends the client's connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// dialError keeps its meaning on the way through the HTTP client.
type dialError struct{ error }

func (d *dialError) Unwrap() error { return d.error }

func dial(ctx context.Context, path string) (net.Conn, error) {
	conn, err := connectTo(ctx, path)
	switch {
	case err == nil:
		return conn, nil
	case nobodyAnswers(err):
		return nil, &dialError{fmt.Errorf("connect to %q: %w", path, ErrNotRunning)}
	case errors.Is(err, fs.ErrPermission):
		return nil, &dialError{fmt.Errorf("connect to %q: %w", path, ErrDenied)}
	}
	return nil, &dialError{fmt.Errorf("connect to %q: %w", path, err)}
}

// ask makes one call with a deadline, none if limit is zero.
func ask[Q, A any](ctx context.Context, limit time.Duration, call func(context.Context, *Q) (*A, error), q *Q) (*A, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	a, err := call(ctx, q)
	if err != nil {
		return nil, errorFromWire(ctx, err)
	}
	return a, nil
}

// follow makes one call that answers with a stream and hands over each
// message, until the stream ends or take returns an error.
func follow[Q, A any](ctx context.Context, call func(context.Context, *Q) (*connect.ServerStreamForClient[A], error), q *Q, take func(*A) error) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := call(own, q)
	if err != nil {
		return errorFromWire(ctx, err)
	}
	// Cancel first, so that closing does not wait for a stream without end.
	defer func() { cancel(); _ = stream.Close() }()
	for stream.Receive() {
		if err := take(stream.Msg()); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return errorFromWire(ctx, err)
	}
	return nil
}
