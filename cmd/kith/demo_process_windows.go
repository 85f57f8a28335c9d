package main

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a Ctrl-C that is meant for the demo from its devices.
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd ends the process: Windows has no signal that asks it to.
func askToEnd(c *exec.Cmd) { _ = c.Process.Kill() }
