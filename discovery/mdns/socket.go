package mdns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const port = 5353

// maxLinks bounds the interfaces in use; machines with containers have many.
const maxLinks = 16

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: port}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: port}
)

// errNoLink is wrapped when there is no interface to speak on.
var errNoLink = errors.New("no interface for multicast")

// link is an interface in use.
type link struct {
	index int
	addrs []netip.Addr
	v4    bool
	v6    bool
	loop  bool // nobody but this machine is on it
}

// packet is what came in.
type packet struct {
	data []byte
	from netip.Addr
}

// sockets are the two ways to the links. Either may be nil, not both.
type sockets struct {
	v4    *ipv4.PacketConn
	v6    *ipv6.PacketConn
	links []link
}

// usable lists the interfaces that are up and can do multicast, and loopback,
// with the addresses that others on the link can reach.
func usable() []link {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []link
	for _, i := range all {
		loop := i.Flags&net.FlagLoopback != 0
		if i.Flags&net.FlagUp == 0 || (i.Flags&net.FlagMulticast == 0 && !loop) || len(out) == maxLinks {
			continue
		}
		l := link{index: i.Index, v4: true, v6: !loop, loop: loop}
		prefixes, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, p := range prefixes {
			if n, ok := p.(*net.IPNet); ok {
				if a, ok := netip.AddrFromSlice(n.IP); ok {
					l.addrs = append(l.addrs, a.Unmap())
				}
			}
		}
		if len(l.addrs) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// openSockets joins the groups on all usable interfaces.
func openSockets() (*sockets, error) {
	s := &sockets{links: usable()}
	if len(s.links) == 0 {
		return nil, errNoLink
	}
	err4, err6 := s.join4(), s.join6()
	if s.v4 == nil && s.v6 == nil {
		return nil, fmt.Errorf("join multicast: %w", errors.Join(err4, err6))
	}
	return s, nil
}

// join4 joins for IPv4. That the address is a group makes the standard library
// share the port with other responders on this machine.
func (s *sockets) join4() error {
	c, err := net.ListenUDP("udp4", group4)
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(c)
	_ = p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true)
	_ = p.SetMulticastTTL(255)
	_ = p.SetMulticastLoopback(true)
	joined := 0
	for i := range s.links {
		l := &s.links[i]
		l.v4 = l.v4 && p.JoinGroup(&net.Interface{Index: l.index}, group4) == nil
		if l.v4 {
			joined++
		}
	}
	if joined == 0 {
		_ = c.Close()
		return errNoLink
	}
	s.v4 = p
	return nil
}

func (s *sockets) join6() error {
	c, err := net.ListenUDP("udp6", group6)
	if err != nil {
		return err
	}
	p := ipv6.NewPacketConn(c)
	_ = p.SetControlMessage(ipv6.FlagInterface|ipv6.FlagDst, true)
	_ = p.SetMulticastHopLimit(255)
	_ = p.SetMulticastLoopback(true)
	joined := 0
	for i := range s.links {
		l := &s.links[i]
		l.v6 = l.v6 && p.JoinGroup(&net.Interface{Index: l.index}, group6) == nil
		if l.v6 {
			joined++
		}
	}
	if joined == 0 {
		_ = c.Close()
		return errNoLink
	}
	s.v6 = p
	return nil
}

func (s *sockets) close() {
	if s.v4 != nil {
		_ = s.v4.Close()
	}
	if s.v6 != nil {
		_ = s.v6.Close()
	}
}

// send sends to the groups on one link. A packet that could not be sent is a
// packet lost: it will be said again.
func (s *sockets) send(l link, b []byte) {
	// Only these systems choose the interface per packet.
	perPacket := runtime.GOOS == "linux" || runtime.GOOS == "android" || runtime.GOOS == "darwin" || runtime.GOOS == "ios"
	if s.v4 != nil && l.v4 {
		var cm *ipv4.ControlMessage
		if perPacket {
			cm = &ipv4.ControlMessage{IfIndex: l.index}
		} else {
			_ = s.v4.SetMulticastInterface(&net.Interface{Index: l.index})
		}
		_, _ = s.v4.WriteTo(b, cm, group4)
	}
	if s.v6 != nil && l.v6 {
		var cm *ipv6.ControlMessage
		if perPacket {
			cm = &ipv6.ControlMessage{IfIndex: l.index}
		} else {
			_ = s.v6.SetMulticastInterface(&net.Interface{Index: l.index})
		}
		_, _ = s.v6.WriteTo(b, cm, group6)
	}
}

// read4 gives the next packet that was sent to the group; one that was sent to
// this machine alone may come from anywhere and is none.
func (s *sockets) read4(buf []byte) (packet, bool, error) {
	n, cm, from, err := s.v4.ReadFrom(buf)
	if err != nil {
		return packet{}, false, err
	}
	if cm != nil && cm.Dst != nil && !cm.Dst.IsMulticast() {
		return packet{}, false, nil
	}
	index := 0
	if cm != nil {
		index = cm.IfIndex
	}
	return s.packet(buf[:n], from, index)
}

func (s *sockets) read6(buf []byte) (packet, bool, error) {
	n, cm, from, err := s.v6.ReadFrom(buf)
	if err != nil {
		return packet{}, false, err
	}
	if cm != nil && cm.Dst != nil && !cm.Dst.IsMulticast() {
		return packet{}, false, nil
	}
	index := 0
	if cm != nil {
		index = cm.IfIndex
	}
	return s.packet(buf[:n], from, index)
}

// packet copies what was read. On the loopback interface the source address is
// that of some other interface of this machine, which tells less.
func (s *sockets) packet(b []byte, from net.Addr, index int) (packet, bool, error) {
	u, ok := from.(*net.UDPAddr)
	if !ok || len(b) > maxPacket {
		return packet{}, false, nil
	}
	a, ok := netip.AddrFromSlice(u.IP)
	for _, l := range s.links {
		if l.loop && l.index == index {
			a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	}
	return packet{data: append([]byte(nil), b...), from: a.Unmap()}, ok, nil
}
