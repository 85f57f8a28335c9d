package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Code names a kind of error for scripts. Codes are never renamed.
type Code string

// The code of an error that none of the sentinels fits.
const CodeFailed Code = "failed"

// Failure is an error as people and scripts see it.
type Failure struct {
	Code    Code
	Message string // what happened, to what
	Hint    string // what to do next; may be empty
}

type failure struct {
	sentinel error
	code     Code
	wire     connect.Code
	hint     string
}

// failures maps errors to codes and back. An error gets the first that fits.
var failures = []failure{
	{ErrNoFolder, "no_folder", connect.CodeNotFound, "kith folders lists the folders of this device"},
	{ErrNoDevice, "no_device", connect.CodeNotFound, "kith devices lists the devices it is paired with"},
	{ErrAmbiguous, "ambiguous", connect.CodeInvalidArgument, "give the whole name, or more of the ID"},
	{ErrNotFound, "not_found", connect.CodeNotFound, ""},
	{ErrInvalid, "invalid", connect.CodeInvalidArgument, ""},
	{ErrPathTaken, "path_taken", connect.CodeAlreadyExists, "choose another directory"},
	{ErrNested, "nested", connect.CodeInvalidArgument, "choose a directory that is not in a folder and holds none"},
	{ErrLabelTaken, "label_taken", connect.CodeAlreadyExists, "choose another label"},
	{ErrNameTaken, "name_taken", connect.CodeAlreadyExists, "choose another name"},
	{ErrNotOffered, "not_offered", connect.CodeNotFound, "kith offers lists what peers offer; the other side offers with kith share"},
	{ErrNotShared, "not_shared", connect.CodeFailedPrecondition, "kith status lists the members of each folder"},
	{ErrNoPath, "no_path", connect.CodeNotFound, "kith ls --all FOLDER lists what exists, here and elsewhere"},
	{ErrNoBatch, "no_batch", connect.CodeNotFound, "kith held lists what is held, kith log what was done; a held batch that has changed has another ID"},
	{ErrNoHistory, "no_history", connect.CodeNotFound, "kith status lists who keeps a history of each folder, and since when; a member must be connected to be asked"},
	{ErrNoSnapshot, "no_snapshot", connect.CodeNotFound, "kith snapshots FOLDER lists them; a time is said like 2026-11-20 14:00, yesterday 14:00 or 2h ago"},
	{ErrNoVault, "no_vault", connect.CodeFailedPrecondition, "kith retention FOLDER --history on keeps one; kith accept FOLDER --role backup makes a device a backup"},
	{ErrNotHere, "not_here", connect.CodeFailedPrecondition, "ask on a device that has the folder's files"},
	{ErrWaiting, "waiting", connect.CodeFailedPrecondition, "it stays chosen and comes as soon as it can; kith why PATH says what it waits for"},
	{ErrPaused, "paused", connect.CodeFailedPrecondition, "kith resume ends the pause"},
	{ErrWrongCode, "wrong_code", connect.CodePermissionDenied, "a code is good for one guess: run kith pair on the other device for a new one"},
	{ErrCodeBurnt, "code_burnt", connect.CodeAborted, "run kith pair again for a new code; if it was not you who mistyped, someone is guessing"},
	{ErrCodeExpired, "code_expired", connect.CodeDeadlineExceeded, "run kith pair on the device that showed it for a new code"},
	{ErrPairingPaused, "pairing_paused", connect.CodeResourceExhausted, "wait ten minutes, then run kith pair again"},
	{ErrDiscoveryOff, "discovery_off", connect.CodeFailedPrecondition, "kith pair --anywhere switches it on, and says what that means"},
	{ErrNoNodes, "no_nodes", connect.CodeUnavailable, "see that this device reaches the internet, or pair by ticket or with --at"},
	{ErrUnreachable, "unreachable", connect.CodeUnavailable, "see that the other device runs and that a firewall lets it be reached"},
	{ErrAlreadyRunning, "already_running", connect.CodeAlreadyExists, "kith down stops the one that runs; --home runs another device"},
	{ErrNotRunning, "not_running", connect.CodeUnavailable, "start it with kith up"},
	{ErrStopping, "stopping", connect.CodeUnavailable, "start it again with kith up"},
	{ErrDenied, "denied", connect.CodePermissionDenied, "run kith as the user who started the device"},
	{ErrUnsupported, "unsupported", connect.CodeUnimplemented, "the device may run an older kith: restart it with kith down and kith up"},
	{ErrTimeout, "timeout", connect.CodeDeadlineExceeded, ""},
	{context.DeadlineExceeded, "timeout", connect.CodeDeadlineExceeded, ""},
	{context.Canceled, "stopping", connect.CodeCanceled, ""},
}

// Describe tells what an error is called and what to do about it, whether it
// comes from this process or has crossed the socket.
func Describe(err error) Failure {
	f := Failure{Code: CodeFailed, Message: err.Error()}
	for i := range failures {
		if errors.Is(err, failures[i].sentinel) {
			f.Code, f.Hint = failures[i].code, failures[i].hint
			break
		}
	}
	if r, ok := errors.AsType[*remote](err); ok {
		f.Code, f.Hint = r.code, r.hint
	}
	if h, ok := errors.AsType[*hinted](err); ok {
		f.Hint = h.hint
	}
	return f
}

// WithHint gives an error a hint of its own, which goes before that of its
// sentinel. The hint is one sentence without a full stop.
func WithHint(err error, hint string) error { return &hinted{err, hint} }

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// remote is an error of the device as the client sees it.
type remote struct {
	code     Code
	message  string
	hint     string
	sentinel error // nil for a code that this program does not know
}

func (r *remote) Error() string { return r.message }
func (r *remote) Unwrap() error { return r.sentinel }

// errorToWire is the one way by which errors leave the server.
func errorToWire(err error) error {
	f := Describe(err)
	status := connect.CodeUnknown
	for i := range failures {
		if failures[i].code == f.Code {
			status = failures[i].wire
			break
		}
	}
	out := connect.NewError(status, errors.New(text(f.Message)))
	if d, err := connect.NewErrorDetail(&controlpb.Failure{Code: string(f.Code), Hint: text(f.Hint)}); err == nil {
		out.AddDetail(d)
	}
	return out
}

// errorFromWire is the one way by which errors enter the client. What has no
// detail comes from the transport, not from the device.
func errorFromWire(ctx context.Context, err error) error {
	switch ctx.Err() {
	case context.Canceled:
		return context.Cause(ctx)
	case context.DeadlineExceeded:
		return fmt.Errorf("ask the device: %w", ErrTimeout)
	}
	ce, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return fmt.Errorf("ask the device: %w", err)
	}
	for _, d := range ce.Details() {
		m, err := d.Value()
		if f, ok := m.(*controlpb.Failure); ok && err == nil {
			return &remote{code: Code(f.Code), message: ce.Message(), hint: f.Hint, sentinel: sentinelOf(Code(f.Code))}
		}
	}
	return transportError(ce)
}

func transportError(ce *connect.Error) error {
	if d, ok := errors.AsType[*dialError](ce); ok {
		return d
	}
	switch ce.Code() {
	case connect.CodeUnimplemented:
		return fmt.Errorf("ask the device: %w", ErrUnsupported)
	case connect.CodeUnavailable, connect.CodeCanceled, connect.CodeAborted:
		return fmt.Errorf("ask the device: %w", ErrStopping)
	}
	if strings.Contains(ce.Message(), "EOF") {
		return fmt.Errorf("ask the device: %w", ErrStopping)
	}
	return fmt.Errorf("ask the device: %s", ce.Message())
}

func sentinelOf(code Code) error {
	for i := range failures {
		if failures[i].code == code {
			return failures[i].sentinel
		}
	}
	return nil
}
