// Package controltest is a device for tests of what speaks the control API:
// it does nothing, answers what it is told to, and remembers what was asked.
//
// A Device is safe for use by several goroutines, but its fields must not
// change while it is served.
package controltest

import (
	"context"
	"fmt"
	"sync"

	"github.com/kithmesh/kith/node/control"
)

// Device answers every question from its fields.
type Device struct {
	Now        control.Status     // the answer to Status
	Invitation control.Invitation // what ShowCode shows
	Discovery  control.Discovery  // how devices are found beyond the local network
	Paired     control.Paired     // who comes
	Folder     control.Folder     // the answer of AddFolder, LeaveFolder, AcceptOffer
	Shared     control.Share      // the answer of Share and Unshare
	Offered    []control.Offer    // the answer of Offers
	Steps      []control.Progress // what Wait tells before it ends
	Errors     map[string]error   // by method: what it ends with
	Hangs      map[string]bool    // by method: it ends with its context only
	Ending     context.CancelFunc // called by Stop
	Paths      Paths              // the answers about single paths
	Care       Care               // the answers about what needs a decision
	Past       Past               // the answers about what was
	Vaults     Vaults             // the answers about what is kept, and about proofs
	Recovery   Recovery           // the answers about recovery
	Limited    control.LimitList  // the answer of Limits and SetLimits
	Hold       map[string]func()  // by method: called before it answers

	mu    sync.Mutex
	asked []string
}

// Groups is d as a server wants it.
func (d *Device) Groups() control.Device {
	return control.Device{
		Lifecycle: d, Pairing: d, Peers: d, Folders: d, Sharing: d, States: d,
		Paths: paths{d}, Care: care{d}, Roles: care{d},
		Past: past{d}, Snapshots: past{d}, Vaults: vaults{d}, Proofs: vaults{d}, Recovery: vaults{d}, Limits: d,
	}
}

// Asked lists the calls so far, each with its request.
func (d *Device) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

func (d *Device) answer(ctx context.Context, method string, request any) error {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf("%s %+v", method, request))
	d.mu.Unlock()
	if f := d.Hold[method]; f != nil {
		f()
	}
	if d.Hangs[method] {
		<-ctx.Done()
		return ctx.Err()
	}
	return d.Errors[method]
}

// Stop implements [control.Lifecycle].
func (d *Device) Stop(ctx context.Context) error {
	if d.Ending != nil {
		d.Ending()
	}
	return d.answer(ctx, "Stop", "")
}

// Pause implements [control.Lifecycle].
func (d *Device) Pause(ctx context.Context, r control.PauseRequest) error {
	return d.answer(ctx, "Pause", r)
}

// Resume implements [control.Lifecycle].
func (d *Device) Resume(ctx context.Context, target string) error {
	return d.answer(ctx, "Resume", target)
}

// ShowCode implements [control.Pairing]; its error comes after the code.
func (d *Device) ShowCode(ctx context.Context, r control.ShowCodeRequest, shown func(control.Invitation) error) (control.Paired, error) {
	if err := shown(d.Invitation); err != nil {
		return control.Paired{}, err
	}
	return d.Paired, d.answer(ctx, "ShowCode", r)
}

// UseCode implements [control.Pairing].
func (d *Device) UseCode(ctx context.Context, r control.UseCodeRequest) (control.Paired, error) {
	return d.Paired, d.answer(ctx, "UseCode", r)
}

// Widen implements [control.Pairing].
func (d *Device) Widen(ctx context.Context, on bool, _ string) (control.Discovery, error) {
	out := d.Discovery
	if on && out.Mode == "off" {
		out.Mode, out.Changed = "public", true
	}
	return out, d.answer(ctx, "Widen", on)
}

// Rename implements [control.Peers].
func (d *Device) Rename(ctx context.Context, r control.RenameRequest) (control.Identity, error) {
	return control.Identity{ID: d.Paired.ID, Name: r.Name}, d.answer(ctx, "Rename", r)
}

// Devices implements [control.Peers].
func (d *Device) Devices(ctx context.Context) ([]control.PeerStatus, error) {
	return d.Now.Peers, d.answer(ctx, "Devices", "")
}

// AddFolder implements [control.Folders].
func (d *Device) AddFolder(ctx context.Context, r control.AddRequest) (control.Folder, error) {
	return d.Folder, d.answer(ctx, "AddFolder", r)
}

// LeaveFolder implements [control.Folders].
func (d *Device) LeaveFolder(ctx context.Context, folder string) (control.Folder, error) {
	return d.Folder, d.answer(ctx, "LeaveFolder", folder)
}

// ScanFolders implements [control.Folders].
func (d *Device) ScanFolders(ctx context.Context, folder string) ([]control.FolderStatus, error) {
	return d.Now.Folders, d.answer(ctx, "ScanFolders", folder)
}

// Share implements [control.Sharing].
func (d *Device) Share(ctx context.Context, r control.ShareRequest) (control.Share, error) {
	return d.Shared, d.answer(ctx, "Share", r)
}

// Unshare implements [control.Sharing].
func (d *Device) Unshare(ctx context.Context, r control.UnshareRequest) (control.Share, error) {
	return d.Shared, d.answer(ctx, "Unshare", r)
}

// Offers implements [control.Sharing].
func (d *Device) Offers(ctx context.Context) ([]control.Offer, error) {
	return d.Offered, d.answer(ctx, "Offers", "")
}

// AcceptOffer implements [control.Sharing].
func (d *Device) AcceptOffer(ctx context.Context, r control.AcceptRequest) (control.Folder, error) {
	return d.Folder, d.answer(ctx, "AcceptOffer", r)
}

// Status implements [control.States].
func (d *Device) Status(ctx context.Context, folder string) (control.Status, error) {
	return d.Now, d.answer(ctx, "Status", folder)
}

// WatchStatus implements [control.States].
func (d *Device) WatchStatus(ctx context.Context, folder string, changed func(control.Status) error) error {
	if err := changed(d.Now); err != nil {
		return err
	}
	return d.answer(ctx, "WatchStatus", folder)
}

// Wait implements [control.States].
func (d *Device) Wait(ctx context.Context, r control.WaitRequest, progress func(control.Progress) error) error {
	for _, p := range d.Steps {
		if err := progress(p); err != nil {
			return err
		}
	}
	return d.answer(ctx, "Wait", r)
}

// Limits implements [control.Limits].
func (d *Device) Limits(ctx context.Context, device string) (control.LimitList, error) {
	return d.Limited, d.answer(ctx, "Limits", device)
}

// SetLimits implements [control.Limits].
func (d *Device) SetLimits(ctx context.Context, r control.LimitRequest) (control.LimitList, error) {
	return d.Limited, d.answer(ctx, "SetLimits", r)
}
