package storytest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// captureInto writes the payload of each packet that crosses the cable of this
// namespace into a file, until its standard input ends. It returns the exit
// code: not zero if it may have missed a packet.
//
// Packets that follow each other lie next to each other in the file, without
// their headers, so that what was cut in two is found all the same.
func captureInto(file string) int {
	if err := captureUntilEnd(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

const (
	allProtocols  = 0x0300 // ETH_P_ALL in network byte order
	captureBuffer = 256 << 20
	// The kernel's numbers for what package syscall has no name for.
	receiveBufferForce = 33 // SO_RCVBUFFORCE
	packetStatistics   = 6  // PACKET_STATISTICS
)

func captureUntilEnd(file string) error {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, allProtocols)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: allProtocols, Ifindex: i.Index}); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, receiveBufferForce, captureBuffer); err != nil {
		return err
	}
	tick := syscall.Timeval{Usec: 20_000}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tick); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(ended) }()
	fmt.Print(".") // ready
	w := bufio.NewWriterSize(out, 1<<20)
	if err := receive(fd, w, ended); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Close()
}

// receive goes on until there has been no packet for a tick after ended.
func receive(fd int, w io.Writer, ended <-chan struct{}) error {
	packet := make([]byte, 1<<17)
	for {
		n, _, err := syscall.Recvfrom(fd, packet, 0)
		switch err {
		case nil:
			if _, err := w.Write(payload(packet[:n])); err != nil {
				return err
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			select {
			case <-ended:
				return missed(fd)
			default:
			}
		default:
			return err
		}
	}
}

// missed is an error if the kernel had no room for a packet.
func missed(fd int) error {
	// The option is two numbers of 32 bits; an IPv4 request of 8 bytes can be
	// read by package syscall.
	v, err := syscall.GetsockoptIPv6Mreq(fd, syscall.SOL_PACKET, packetStatistics)
	if err != nil {
		return fmt.Errorf("ask for missed packets: %w", err)
	}
	if drops := binary.NativeEndian.Uint32(v.Multiaddr[4:]); drops > 0 {
		return fmt.Errorf("%d packets were missed", drops)
	}
	return nil
}

// payload is what a packet carries for UDP or TCP, or all of a packet that is
// of neither.
func payload(frame []byte) []byte {
	const ethernet = 14
	if len(frame) < ethernet+20 {
		return frame
	}
	p, transport := frame[ethernet:], byte(0)
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
		transport, p = p[9], p[min(len(p), int(p[0]&15)*4):]
	case 0x86dd:
		if len(p) < 40 {
			return frame
		}
		transport, p = p[6], p[40:]
	default:
		return frame
	}
	switch {
	case transport == syscall.IPPROTO_TCP && len(p) >= 20:
		return p[min(len(p), int(p[12]>>4)*4):]
	case transport == syscall.IPPROTO_UDP && len(p) >= 8:
		return p[8:]
	}
	return frame
}
