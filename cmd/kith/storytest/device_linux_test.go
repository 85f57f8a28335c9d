package storytest

import (
	"os/exec"
	"syscall"
)

// endWithUs sees to it that a process does not outlive the tests, even if
// those are killed.
func endWithUs(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
