package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
)

// Status implements [control.States].
func (d *Device) Status(ctx context.Context, text string) (control.Status, error) {
	shares, err := d.someShares(text)
	if err != nil {
		return control.Status{}, fmt.Errorf("status: %w", err)
	}
	d.settleSettings(ctx)
	st := control.Status{Identity: d.identity(d.id.ID()), Listen: d.net.Addrs()}
	d.mu.Lock()
	st.Paused = d.paused.has("", time.Now())
	st.Problems = slices.Clone(d.problems)
	d.mu.Unlock()
	if why := d.rests(d.in()); why != nil {
		st.Problems = append(st.Problems, *why)
	}
	st.Problems = append(st.Problems, d.file.problems()...)
	for _, s := range shares {
		d.check(ctx, s)
		st.Folders = append(st.Folders, d.folderStatus(s))
	}
	st.Peers = d.peerStatuses()
	return st, ctx.Err()
}

// checkTime is how long a status waits for a folder that is busy.
const checkTime = time.Second

// check has a folder look whether its tree is still there: an unmounted disk
// makes no event.
func (d *Device) check(ctx context.Context, s *share) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if s.tree != nil {
		_ = s.tree.Check(ctx)
	}
}

func (d *Device) folderStatus(s *share) control.FolderStatus {
	st := s.Status()
	out := control.FolderStatus{
		Folder: s.controlled(), State: stateNames[st.State], Files: st.Files, Bytes: st.Bytes,
		NeedFiles: st.NeedFiles, NeedBytes: st.NeedBytes, Conflicts: st.Conflicts, Held: st.Held,
		LocalEdits: st.LocalEdits, Untaken: st.Untaken, AbsentFiles: st.AbsentFiles, AbsentBytes: st.AbsentBytes,
	}
	if d.isPausedFolder(s.ID) {
		out.State = control.StatePaused
	}
	removed := s.removal()
	if len(removed) > 0 {
		out.State = control.StateError
	}
	out.Problems = append(append(removed, heldProblem(st)...), controlledProblems(st.Problems)...)
	out.Problems = append(out.Problems, d.guardProblems(s)...)
	out.Problems = append(out.Problems, d.waitsForLAN(st)...)
	out.Problems = append(out.Problems, s.recoveryProblems()...)
	if s.noHistory != nil {
		out.Problems = append(out.Problems, control.Problem{
			Code: "history_failed", Message: "no history of what others change is kept here: " + s.noHistory.Error(),
			Hint: "put that right and restart kith, or switch it off: kith retention " + out.Label + " --history off",
		})
	}
	out.Vault = s.vaultStatus()
	for _, m := range s.members() {
		if m.Device == d.id.ID() {
			continue
		}
		seen := st.Members[m.Device]
		name := d.nameOf(m.Device)
		out.Members = append(out.Members, control.MemberStatus{
			Identity: control.Identity{ID: m.Device, Name: cmp.Or(name, m.Name)}, Role: m.Role,
			Connected: seen.Connected, NeedFiles: seen.NeedFiles, NeedBytes: seen.NeedBytes,
		})
		if m.Role == entry.RoleBackup && s.tree != nil {
			d.protection(s, &out, &out.Members[len(out.Members)-1], &st)
		}
	}
	return out
}

var removedProblem = control.Problem{
	Code: "removed", Message: "this device was taken out of the folder; its files are as they were",
	Hint: "kith leave ends it here; to take part again, have a member share the folder anew",
}

var stateNames = map[folder.State]control.State{
	folder.InSync: control.StateInSync, folder.Scanning: control.StateScanning, folder.Syncing: control.StateSyncing,
	folder.Waiting: control.StateWaiting, folder.Braked: control.StateHeld, folder.Fenced: control.StateFenced, folder.Failed: control.StateError,
}

func (d *Device) peerStatuses() []control.PeerStatus {
	seen := map[entry.DeviceID]discovery.Peer{}
	for _, p := range d.net.Peers() {
		seen[entry.DeviceID(p.Device.String())] = p
	}
	out := []control.PeerStatus{}
	for _, p := range d.store.Peers() {
		now := seen[p.ID]
		l := d.link(p.ID)
		sent, received := d.server.Traffic(p.ID)
		st := control.PeerStatus{
			Identity: d.identity(p.ID), Paused: d.isPaused(p.ID), Through: p.PairedAt.IsZero(), LastSeen: p.LastSeen, Sent: sent, Received: received,
			// A device that has not answered may not count this one as paired.
			Connected: now.Connected && l != nil && l.meets(),
		}
		if st.Connected {
			st.Via, st.Transport = control.Via(now.Route.Via), control.Transport(now.Route.Transport)
			st.Addr, st.LastSeen = now.Route.Addr, time.Now()
			st.Punched, st.Since = now.Route.Punched, now.Route.Since
			if now.Route.Relay != "" {
				st.Relay = d.nameOf(entry.DeviceID(now.Route.Relay.String()))
			}
		} else if len(p.Addresses) > 0 {
			st.Addr = p.Addresses[0]
		}
		if told := d.acquaintances.lastSeen(p.ID); told.After(st.LastSeen) {
			st.LastSeen = told
		}
		out = append(out, st)
	}
	return out
}

// statusEvery is how often a status is told at most.
const statusEvery = 200 * time.Millisecond

// WatchStatus implements [control.States].
func (d *Device) WatchStatus(ctx context.Context, text string, changed func(control.Status) error) error {
	for {
		next := d.changed.next()
		st, err := d.Status(ctx, text)
		if err != nil {
			return err
		}
		if err := changed(st); err != nil {
			return err
		}
		if err := pause(ctx, statusEvery); err != nil {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ScanFolders implements [control.Folders].
func (d *Device) ScanFolders(ctx context.Context, text string) ([]control.FolderStatus, error) {
	shares, err := d.someShares(text)
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	var failed error
	for _, s := range shares {
		if err := s.scan(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("scan %q: %w", s.controlled().Label, err))
		}
	}
	if failed != nil {
		return nil, failed
	}
	var out []control.FolderStatus
	for _, s := range shares {
		out = append(out, d.folderStatus(s))
	}
	return out, nil
}
