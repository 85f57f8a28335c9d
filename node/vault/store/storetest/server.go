// Package storetest starts a real server of the S3 protocol, for tests: a
// versitygw that keeps its buckets in a directory of the test's. Between it and
// who uses it lies a door that a test can shut.
package storetest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault/store"
)

// program is what the server is called; it is found as the shell does.
const program = "versitygw"

const (
	accessKey = "kith-test"
	secretKey = "kith-test-secret"
	bucket    = "packs"
)

// Server is one that runs until the test ends.
type Server struct {
	// Address is a bucket of it, with nothing in it.
	Address store.Address
	// Requests counts those that came.
	Requests atomic.Int64
	// Bytes counts what was read and put, as far as the headers say it.
	Down, Up atomic.Int64

	shut atomic.Bool
}

// Shut has all requests fail, as when the network is down, until Open.
func (s *Server) Shut() { s.shut.Store(true) }

// Open ends what Shut has begun.
func (s *Server) Open() { s.shut.Store(false) }

// Start starts a server, and skips the test where there is none to start.
func Start(t testing.TB) *Server {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0", program)
	}
	dir, err := os.MkdirTemp("", "s3-") // short, since it becomes the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	for _, d := range []string{data, filepath.Join(data, bucket), filepath.Join(dir, "meta")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--port", socket, "--access", accessKey, "--secret", secretKey, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "meta"), data)
	var said syncBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	s := &Server{}
	door := httptest.NewServer(s.door(socket))
	t.Cleanup(door.Close)
	s.Address = store.Address{URL: "s3:" + door.URL + "/" + bucket, AccessKey: accessKey, SecretKey: secretKey, Region: "us-east-1"}
	if err := ready(socket); err != nil {
		t.Fatalf("%s does not answer: %v\n%s", program, err, said.String())
	}
	return s
}

// ready waits until the server can be connected to.
func ready(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// door passes requests on, unchanged: they are signed.
func (s *Server) door(socket string) http.Handler {
	target, _ := url.Parse("http://unix") // the host of requests stays
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}, DisableKeepAlives: true}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodGet {
				s.Down.Add(max(0, r.ContentLength))
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.shut.Load() {
			if h, ok := w.(http.Hijacker); ok {
				if c, _, err := h.Hijack(); err == nil {
					_ = c.Close()
				}
			}
			return
		}
		s.Requests.Add(1)
		s.Up.Add(max(0, r.ContentLength))
		proxy.ServeHTTP(w, r)
	})
}
