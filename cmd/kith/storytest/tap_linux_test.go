package storytest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tap records the packets that cross the interfaces of a namespace, all of
// them but its own loopback, whatever is plugged in and out meanwhile.
type tap struct {
	t     *testing.T
	file  string
	fd    int
	snap  int // how many bytes of each packet are kept
	ended chan error
	end   atomic.Bool

	in, out atomic.Int64 // bytes so far, while it records
}

// packet is one that was seen.
type packet struct {
	at    time.Time
	out   bool   // sent by the namespace, not received
	bytes int    // how long it was on the wire
	frame []byte // from the head of the link on, as much as was kept
}

const (
	packetHead  = 16
	wholePacket = 1 << 17
	headOnly    = 160
)

// tap begins to record, keeping so many bytes of each packet.
func (n *namespace) tap(t *testing.T, snap int) *tap {
	t.Helper()
	k := &tap{t: t, file: filepath.Join(t.TempDir(), "tap"), snap: snap, ended: make(chan error, 1)}
	if err := n.inside(k.open); err != nil {
		t.Fatal("record packets: ", err)
	}
	file, err := os.Create(k.file)
	if err != nil {
		t.Fatal(err)
	}
	go func() { k.ended <- k.record(file) }()
	t.Cleanup(func() { k.stop() })
	return k
}

func (k *tap) open() (err error) {
	k.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, allProtocols)
	if err != nil {
		return err
	}
	tick := unix.Timeval{Usec: 20_000}
	return errors.Join(
		unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.SetsockoptTimeval(k.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick))
}

// record goes on until there has been no packet for a tick after the end.
func (k *tap) record(file *os.File) error {
	w := bufio.NewWriterSize(file, 1<<20)
	record := make([]byte, packetHead+k.snap)
	for {
		n, from, err := unix.Recvfrom(k.fd, record[packetHead:], unix.MSG_TRUNC)
		switch err {
		case nil:
			l, ok := from.(*unix.SockaddrLinklayer)
			if !ok || l.Hatype == unix.ARPHRD_LOOPBACK {
				continue
			}
			out := l.Pkttype == unix.PACKET_OUTGOING
			if out {
				k.out.Add(int64(n))
			} else {
				k.in.Add(int64(n))
			}
			kept := min(n, k.snap)
			binary.BigEndian.PutUint64(record, uint64(time.Now().UnixNano()))
			binary.BigEndian.PutUint32(record[8:], uint32(n)<<1|uint32(b2i(out)))
			binary.BigEndian.PutUint32(record[12:], uint32(kept))
			if _, err := w.Write(record[:packetHead+kept]); err != nil {
				return err
			}
		case unix.EINTR, unix.ENETDOWN: // something was unplugged
		case unix.EAGAIN:
			if k.end.Load() {
				return errors.Join(k.missed(), w.Flush(), file.Close(), unix.Close(k.fd))
			}
		default:
			return err
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (k *tap) missed() error {
	s, err := unix.GetsockoptTpacketStats(k.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil && s.Drops > 0 {
		err = fmt.Errorf("%d packets were missed", s.Drops)
	}
	return err
}

// stop ends the recording; what it has is complete then.
func (k *tap) stop() {
	k.t.Helper()
	if k.end.Swap(true) {
		return
	}
	if err := <-k.ended; err != nil {
		k.t.Error("record packets: ", err)
	}
}

// each goes through all that was recorded.
func (k *tap) each(do func(p packet)) {
	k.t.Helper()
	k.stop()
	f, err := os.Open(k.file)
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		head := make([]byte, packetHead)
		if _, err := io.ReadFull(r, head); err == io.EOF {
			return
		} else if err != nil {
			k.t.Fatal(err)
		}
		size := binary.BigEndian.Uint32(head[8:])
		p := packet{at: time.Unix(0, int64(binary.BigEndian.Uint64(head))), out: size&1 == 1, bytes: int(size >> 1), frame: make([]byte, binary.BigEndian.Uint32(head[12:]))}
		if _, err := io.ReadFull(r, p.frame); err != nil {
			k.t.Fatal(err)
		}
		do(p)
	}
}

// payloads is what all packets carried, one after the other.
func (k *tap) payloads() io.Reader {
	r, w := io.Pipe()
	go func() {
		k.each(func(p packet) { _, _ = w.Write(payload(p.frame)) })
		_ = w.Close()
	}()
	return r
}

// knocks are the times at which the namespace has begun to connect to something:
// first packets of TCP connections, and of QUIC ones (RFC 9000, section 17.2.2),
// those that were sent again included.
type knocks struct {
	all  int
	most int            // within ten seconds
	at   map[string]int // how many at which address
}

func (k *tap) knocks() (n knocks) {
	k.t.Helper()
	n.at = map[string]int{}
	var lately []time.Time
	k.each(func(p packet) {
		if !p.out || !p.knocks() {
			return
		}
		n.all++
		n.at[p.to().String()]++
		lately = append(lately, p.at)
		for p.at.Sub(lately[0]) > 10*time.Second {
			lately = lately[1:]
		}
		n.most = max(n.most, len(lately))
	})
	return n
}

// String tells it to people.
func (n knocks) String() string {
	return fmt.Sprintf("%d attempts to connect, at most %d within ten seconds, %v", n.all, n.most, n.at)
}

func (p packet) knocks() bool {
	transport, head := p.transport()
	switch {
	case transport == unix.IPPROTO_TCP && len(head) > 13:
		return head[13]&0x12 == 0x02 // SYN without ACK
	case transport == unix.IPPROTO_UDP && len(head) > 16:
		quic := head[8:]
		return quic[0]&0xf0 == 0xc0 && binary.BigEndian.Uint32(quic[1:]) == 1
	}
	return false
}

const ethernetHead = 14

// transport is which transport a packet is of, and from its head on what it
// holds; 0 if it is of none.
func (p packet) transport() (protocol byte, rest []byte) {
	if len(p.frame) < ethernetHead+20 {
		return 0, nil
	}
	b := p.frame[ethernetHead:]
	switch binary.BigEndian.Uint16(p.frame[12:]) {
	case 0x0800:
		return b[9], b[min(len(b), int(b[0]&15)*4):]
	case 0x86dd:
		if len(b) >= 40 {
			return b[6], b[40:]
		}
	}
	return 0, nil
}

// to is where a packet was to go, and from where it says it comes; not valid if
// it is no IP packet.
func (p packet) to() netip.Addr   { return p.address(16, 24) }
func (p packet) from() netip.Addr { return p.address(12, 8) }

func (p packet) address(at4, at6 int) netip.Addr {
	if len(p.frame) < ethernetHead+20 {
		return netip.Addr{}
	}
	b := p.frame[ethernetHead:]
	switch binary.BigEndian.Uint16(p.frame[12:]) {
	case 0x0800:
		return netip.AddrFrom4([4]byte(b[at4 : at4+4]))
	case 0x86dd:
		if len(b) >= 40 {
			return netip.AddrFrom16([16]byte(b[at6 : at6+16]))
		}
	}
	return netip.Addr{}
}

// String tells what a packet is, for a person who looks for its reason.
func (p packet) String() string {
	transport, head := p.transport()
	ports := ""
	if (transport == unix.IPPROTO_TCP || transport == unix.IPPROTO_UDP) && len(head) >= 4 {
		ports = fmt.Sprintf(" port %d to %d", binary.BigEndian.Uint16(head), binary.BigEndian.Uint16(head[2:]))
	}
	return fmt.Sprintf("%s protocol %d from %s to %s%s, %d bytes", p.at.Format("15:04:05.000"), transport, p.from(), p.to(), ports, p.bytes)
}
