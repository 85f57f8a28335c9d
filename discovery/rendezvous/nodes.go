package rendezvous

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	maxNodes     = 64  // that are known
	maxNodeAddrs = 4   // of one of them
	maxNodeText  = 256 // bytes of one address
	maxNodeFile  = maxNodes * maxNodeAddrs * (maxNodeText + 1)
	nodesFile    = "board-nodes"
)

// nodes are the nodes of a private DHT that this one has heard of from those it
// trusts in this, best first: from settings, from paired devices, and from the
// DHT once they have answered. They are kept in a file, so that the DHT is
// found again though whoever was its beginning is gone. It is safe for
// concurrent use.
type nodes struct {
	path string // empty keeps no file

	mu     sync.Mutex
	known  []peer.AddrInfo // without those that are fixed
	fixed  []peer.AddrInfo // from settings
	unsent bool            // known differs from the file
}

// newNodes reads the file. What is wrong with its lines is passed over: it is
// only a help to memory.
func newNodes(dir string, fixed []peer.AddrInfo) (*nodes, error) {
	n := &nodes{fixed: fixed}
	if dir == "" {
		return n, nil
	}
	n.path = filepath.Join(dir, nodesFile)
	f, err := os.Open(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the known nodes: %w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxNodeFile))
	if err != nil {
		return nil, fmt.Errorf("read the known nodes: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if info, err := parseNode(line, false); err == nil {
			n.addLocked(info, false)
		}
	}
	n.unsent = false
	return n, nil
}

// add takes in where a node is, and tells whether that is news. A node that has
// answered comes first, and so does the first of its addresses, at which it did.
func (n *nodes) add(info peer.AddrInfo, answered bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addLocked(info, answered)
}

func (n *nodes) addLocked(info peer.AddrInfo, answered bool) bool {
	old := peer.AddrInfo{ID: info.ID}
	i := n.indexLocked(info.ID)
	if i >= 0 {
		old = n.known[i]
	}
	addrs := ma.FilterAddrs(slices.Clone(info.Addrs), direct)
	moved := answered && len(addrs) > 0 && len(old.Addrs) > 0 && !addrs[0].Equal(old.Addrs[0])
	if !moved && !slices.ContainsFunc(addrs, func(a ma.Multiaddr) bool { return !ma.Contains(old.Addrs, a) }) {
		return false
	}
	var merged []ma.Multiaddr
	for _, a := range slices.Concat(addrs, old.Addrs) {
		if !ma.Contains(merged, a) {
			merged = append(merged, a)
		}
	}
	if i >= 0 {
		n.known = slices.Delete(n.known, i, i+1)
	}
	at := len(n.known)
	if answered {
		at = 0
	} else if i >= 0 {
		at = i
	}
	n.known = slices.Insert(n.known, at, peer.AddrInfo{ID: info.ID, Addrs: merged[:min(len(merged), maxNodeAddrs)]})
	n.boundLocked()
	n.unsent = true
	return true
}

// failed puts a node behind the others.
func (n *nodes) failed(id peer.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.indexLocked(id)
	if i < 0 || i == len(n.known)-1 {
		return
	}
	last := n.known[i]
	n.known = append(slices.Delete(n.known, i, i+1), last)
	n.unsent = true
}

func (n *nodes) indexLocked(id peer.ID) int {
	return slices.IndexFunc(n.known, func(k peer.AddrInfo) bool { return k.ID == id })
}

// boundLocked drops the node before the last if there are too many: the last
// is the newest, which has not had its chance.
func (n *nodes) boundLocked() {
	if len(n.known) > maxNodes {
		n.known = slices.Delete(n.known, maxNodes-1, maxNodes)
	}
}

// all are the nodes to try, best first.
func (n *nodes) all() []peer.AddrInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Concat(n.known, n.fixed)
}

// told tells whether a node was said to be at an address by somebody who may
// send this device there.
func (n *nodes) told(id peer.ID, a ma.Multiaddr) bool {
	return slices.ContainsFunc(n.all(), func(k peer.AddrInfo) bool { return k.ID == id && ma.Contains(k.Addrs, a) })
}

// save writes the file if there is anything new, whole or not at all.
func (n *nodes) save() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.path == "" || !n.unsent {
		return nil
	}
	var b bytes.Buffer
	for _, k := range n.known {
		for _, line := range nodeTexts(k) {
			b.WriteString(line + "\n")
		}
	}
	if err := replace(n.path, b.Bytes()); err != nil {
		return fmt.Errorf("keep the known nodes: %w", err)
	}
	n.unsent = false
	return nil
}

// replace writes a file that only its owner can read.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// nodeTexts tells where a node is, a line for each address.
func nodeTexts(info peer.AddrInfo) []string {
	var out []string
	for _, a := range info.Addrs {
		out = append(out, a.String()+"/p2p/"+info.ID.String())
	}
	return out
}

// ReadNodes reads lines that say where nodes are, as [Board.Nodes] tells them
// and paired devices send them to each other, up to an empty line or the end.
// It gives no more than 64; more lines, and longer than 256 bytes, are an error
// that wraps [ErrNode]. What the lines say is looked at by [Board.Meet].
func ReadNodes(r io.Reader) ([]string, error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxTold*(maxNodeText+1)+1))
	lines.Buffer(make([]byte, 0, maxNodeText), maxNodeText+1)
	var out []string
	for lines.Scan() {
		if lines.Text() == "" {
			return out, nil
		}
		if len(out) == maxTold || len(lines.Text()) > maxNodeText {
			return nil, fmt.Errorf("%w: too much is told", ErrNode)
		}
		out = append(out, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNode, err)
	}
	return out, nil
}

// WriteNodes writes lines for [ReadNodes], with the empty one at their end.
func WriteNodes(w io.Writer, nodes []string) error {
	var b strings.Builder
	for _, n := range nodes[:min(len(nodes), maxTold)] {
		b.WriteString(n + "\n")
	}
	b.WriteByte('\n')
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("tell of nodes: %w", err)
	}
	return nil
}

// maxTold bounds what devices tell each other of nodes.
const maxTold = 64
