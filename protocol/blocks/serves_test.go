package blocks

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// naming notes which folder its stream is said to serve.
type naming struct {
	net.Conn
	folder atomic.Pointer[entry.FolderID]
}

func (n *naming) Serve(f entry.FolderID) { n.folder.Store(&f) }

func TestAFolderThatIsRefusedIsNotServed(t *testing.T) {
	for folder, serves := range map[entry.FolderID]bool{docs: true, {'n', 'o', 'n', 'e'}: false} {
		a, b := net.Pipe()
		n := &naming{Conn: b}
		ended := make(chan error)
		go func() {
			s := Server{Source: &shelf{}}
			ended <- s.Handle(t.Context(), asker, n)
		}()
		c := NewClient(func(context.Context) (Stream, error) { return pipe{a}, nil })
		_, err := fetched(c, Request{Folder: folder, IDs: idsOf(2)})
		if serves != (err == nil) {
			t.Errorf("folder %s: %v", folder, err)
		}
		if got := n.folder.Load(); (got != nil) != serves {
			t.Errorf("folder %s: the stream is said to serve %v, want %t", folder, got, serves)
		}
		c.Close()
		_ = a.Close()
		<-ended
	}
}
