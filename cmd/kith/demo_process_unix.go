//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a Ctrl-C that is meant for the demo from its devices.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func askToEnd(c *exec.Cmd) { _ = c.Process.Signal(syscall.SIGTERM) }
