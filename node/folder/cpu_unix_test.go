//go:build unix

package folder_test

import (
	"syscall"
	"time"
)

// cpuTime is what this process has taken so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
