package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Server holds the socket of a device and serves it.
type Server struct {
	socket *socket
	log    *slog.Logger
}

// Listen takes the socket at path, 0600, and makes its directory if there is
// none. Callers that connect wait until Run serves them. It returns an error
// that wraps [ErrAlreadyRunning] if somebody answers there.
func Listen(path string, log *slog.Logger) (*Server, error) {
	s, err := listen(path)
	if err != nil {
		return nil, err
	}
	return &Server{socket: s, log: log}, nil
}

// Run serves d until ctx ends, then ends all calls, waits for them and
// removes the socket. It returns nil when ctx ended it.
//
// A caller takes the end of the socket for the end of the device: end the
// context of Run after everything else of the device has ended.
func (s *Server) Run(ctx context.Context, d Device) error {
	calls, endCalls := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endCalls(ErrStopping)
	var running sync.WaitGroup
	srv := &http.Server{
		Handler:           waited(&running, inTime(newMux(d))),
		ReadHeaderTimeout: receiveTime,
		MaxHeaderBytes:    maxHeader,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(s.socket) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	// New calls find nobody; those that run are told to end, and answer.
	closed := s.socket.Close()
	endCalls(ErrStopping)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if srv.Shutdown(last) != nil {
		_ = srv.Close()
	}
	running.Wait()
	if err == nil {
		err = <-served
	}
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if err = errors.Join(err, closed); err != nil {
		return fmt.Errorf("serve the control API: %w", err)
	}
	return nil
}

// Close gives the socket up. It is for a server whose Run was never called.
func (s *Server) Close() error { return s.socket.Close() }

// newMux serves each group of commands that d has.
func newMux(d Device) *http.ServeMux {
	mux := http.NewServeMux()
	opts := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxRequest), connect.WithSendMaxBytes(maxResponse),
		connect.WithRecover(func(_ context.Context, _ connect.Spec, _ http.Header, p any) error {
			return errorToWire(fmt.Errorf("answer: %v", p))
		}),
	}
	if d.Lifecycle != nil {
		mux.Handle(controlpb.NewLifecycleHandler(lifecycle{d.Lifecycle}, opts...))
	}
	if d.Pairing != nil {
		mux.Handle(controlpb.NewPairingHandler(pairing{d.Pairing}, opts...))
	}
	if d.Peers != nil {
		mux.Handle(controlpb.NewPeersHandler(peers{d.Peers}, opts...))
	}
	if d.Folders != nil {
		mux.Handle(controlpb.NewFoldersHandler(folders{d.Folders}, opts...))
	}
	if d.Sharing != nil {
		mux.Handle(controlpb.NewSharingHandler(sharing{d.Sharing}, opts...))
	}
	if d.States != nil {
		mux.Handle(controlpb.NewStatesHandler(statuses{d.States}, opts...))
	}
	if d.Paths != nil {
		mux.Handle(controlpb.NewPathsHandler(paths{d.Paths}, opts...))
	}
	if d.Care != nil {
		mux.Handle(controlpb.NewCareHandler(care{d.Care}, opts...))
	}
	if d.Roles != nil {
		mux.Handle(controlpb.NewRolesHandler(roles{d.Roles}, opts...))
	}
	if d.Limits != nil {
		mux.Handle(controlpb.NewLimitsHandler(limits{d.Limits}, opts...))
	}
	servePast(mux, d, opts)
	return mux
}

// inTime takes a request in, whole and bounded, before its handler runs: a
// deadline on reading would otherwise end long answers too.
func inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now().Add(receiveTime))
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		_ = c.SetReadDeadline(time.Time{})
		if err != nil {
			http.Error(w, "the request is too long or too slow", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

func waited(running *sync.WaitGroup, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		next.ServeHTTP(w, r)
	})
}
