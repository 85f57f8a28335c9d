package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// The exit codes: a contract with scripts.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitAttention   = 3
	exitTimeout     = 4
	exitNotRunning  = 5
	exitInterrupted = 130
)

// errAttention is returned by a command that did what was asked and found that
// a person should look. What there is to see was shown already.
var errAttention = errors.New("attention is needed")

// usage is a command line that cannot be understood.
type usage struct {
	message, hint string
}

func (u *usage) Error() string { return u.message }

// usageError is err as wrong usage of cmd, with how to use it as the hint.
func usageError(cmd *cobra.Command, err error) error {
	if u, ok := errors.AsType[*usage](err); ok {
		return u
	}
	hint := "usage: " + strings.TrimSuffix(cmd.UseLine(), " [flags]") + "; " + cmd.CommandPath() + " --help shows examples"
	message, rest, several := strings.Cut(err.Error(), "\n")
	if several && strings.Contains(rest, "Did you mean") {
		hint = "did you mean " + strings.Join(strings.Fields(rest)[4:], " or ") + "?"
	}
	return &usage{message: message, hint: hint}
}

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return usageError(cmd, fmt.Errorf(format, args...))
}

// invalidUsage is an error of the device as wrong usage of cmd, if it says that
// what it was given cannot be; else it is returned as it is.
func invalidUsage(cmd *cobra.Command, err error) error {
	if !errors.Is(err, control.ErrInvalid) {
		return err
	}
	u := usage{control.Describe(err).Message, control.Describe(err).Hint}
	if u.hint == "" {
		u.hint = cmd.CommandPath() + " --help shows examples"
	}
	return &u
}

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errAttention), errors.Is(err, control.ErrWaiting):
		return exitAttention
	case errors.Is(err, control.ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, control.ErrTimeout):
		return exitTimeout
	}
	if _, ok := errors.AsType[*usage](err); ok {
		return exitUsage
	}
	return exitFailed
}

// report tells of an error on the error stream, as JSON if that was asked for.
func (a *app) report(err error) {
	if err == nil || errors.Is(err, errAttention) {
		return
	}
	f := describe(err)
	if a.json {
		type failure struct {
			Code    control.Code `json:"code"`
			Message string       `json:"message"`
			Hint    string       `json:"hint"`
		}
		e := json.NewEncoder(a.err)
		e.SetEscapeHTML(false)
		_ = e.Encode(map[string]failure{"error": {f.Code, f.Message, f.Hint}})
		return
	}
	_, _ = fmt.Fprintf(a.err, "kith: %s\n", printable(strings.ReplaceAll(f.Message, "\n", "; ")))
	if f.Hint != "" {
		_, _ = fmt.Fprintf(a.err, "      %s\n", printable(f.Hint))
	}
}

func describe(err error) control.Failure {
	if u, ok := errors.AsType[*usage](err); ok {
		return control.Failure{Code: "usage", Message: u.message, Hint: u.hint}
	}
	if errors.Is(err, errInterrupted) {
		return control.Failure{Code: "interrupted", Message: "interrupted"}
	}
	return control.Describe(err)
}
