//go:build !windows

package discovery

import "syscall"

// What the system calls the ways in which a dial fails.
var (
	refusedErrors   = []syscall.Errno{syscall.ECONNREFUSED}
	nobodyErrors    = []syscall.Errno{syscall.EHOSTUNREACH, syscall.EHOSTDOWN}
	routeErrors     = []syscall.Errno{syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL}
	forbiddenErrors = []syscall.Errno{syscall.EPERM, syscall.EACCES}
	resetErrors     = []syscall.Errno{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED}
)
