package discovery

import "syscall"

// What the system calls the ways in which a dial fails: the numbers of
// Winsock, most of which package syscall has no names for.
var (
	refusedErrors   = []syscall.Errno{10061}
	nobodyErrors    = []syscall.Errno{10064, 10065}
	routeErrors     = []syscall.Errno{10050, 10051, 10049}
	forbiddenErrors = []syscall.Errno{10013}
	resetErrors     = []syscall.Errno{10053, 10054}
)
