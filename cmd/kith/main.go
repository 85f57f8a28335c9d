// Command kith keeps folders the same on several devices.
//
// It is a client of the device that runs on this machine, and nothing else:
// every command asks it through package control and shows what it answers.
// Only `kith up` runs a device, and `kith demo` starts two of them.
//
// What it prints with --json, its exit codes and its codes of errors are a
// contract with scripts; what it prints without is for people and may change.
package main

import (
	"os"

	"golang.org/x/term"
)

func main() {
	ctx, stop := untilInterrupted()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, run: runDevice, decrypt: decryptVault}
	a.outTerminal = terminalOf(os.Stdout)
	a.errTerminal = terminalOf(os.Stderr)
	a.inTerminal = term.IsTerminal(int(os.Stdin.Fd()))
	a.secret = newSecretLine(os.Stdin)
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
