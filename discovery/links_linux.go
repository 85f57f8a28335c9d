package discovery

import (
	"sync"

	"golang.org/x/sys/unix"
)

// linkNews gives a channel that is filled when the kernel tells of a change of
// interfaces or addresses (rtnetlink(7)); nil if it does not, as on Android.
// The channel is closed when the kernel stops telling. stop waits for the reader.
func linkNews() (news <-chan struct{}, stop func()) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, func() {}
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, func() {}
	}
	// A blocking read cannot be interrupted by closing the descriptor, so
	// the reader polls it together with a pipe.
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		_ = unix.Close(fd)
		return nil, func() {}
	}
	out := make(chan struct{}, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(out)
		readLinkNews(fd, pipe[0], out)
	})
	return out, func() {
		_ = unix.Close(pipe[1]) // wakes the reader
		reader.Wait()
		_ = unix.Close(pipe[0])
		_ = unix.Close(fd)
	}
}

// readLinkNews reads until stop has something to read or is closed at its
// other end. What the messages say does not matter; that there are any does.
func readLinkNews(fd, stop int, out chan struct{}) {
	buf := make([]byte, 16<<10)
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil || fds[1].Revents != 0 {
			return
		}
		_, _, err = unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		switch err {
		case nil, unix.ENOBUFS, unix.EINTR, unix.EAGAIN:
			nudge(out)
		default:
			return
		}
	}
}
