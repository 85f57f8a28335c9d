package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/recovery/rescue"
)

// How long the parts of a recovery may take.
const (
	reachTime  = 8 * time.Second  // a device at a known address
	lanTime    = 30 * time.Second // finding one on the local network
	rosterTime = 30 * time.Second // for it to tell its rosters
	takeTime   = 30 * time.Second // for it to take what is said
	othersTime = 2 * time.Second  // for others on the local network, once one is found
)

// Recover implements [control.Recovery].
func (d *Device) Recover(ctx context.Context, r control.RecoverRequest, progress func(string) error) (control.Recovered, error) {
	secret, err := unlock(r.Phrase)
	if err != nil {
		return control.Recovered{}, fmt.Errorf("recover: %w", err)
	}
	r.Phrase = ""
	if !d.words.recovering.TryLock() {
		return control.Recovered{}, fmt.Errorf("recover: %w: another recovery is under way", control.ErrInvalid)
	}
	defer d.words.recovering.Unlock()
	at := slices.Clone(r.At)
	if r.Code != "" {
		p, err := d.UseCode(ctx, control.UseCodeRequest{Code: r.Code, At: r.At})
		if err != nil {
			return control.Recovered{}, fmt.Errorf("recover: %w", err)
		}
		if err := progress("paired with " + p.Name); err != nil {
			return control.Recovered{}, err
		}
		at = d.addressesOf(p.ID)
	}
	o := &recovering{device: d, request: r, progress: progress}
	err = d.rescue(ctx, secret, len(at) == 0, func(ctx context.Context, x *rescuing) error {
		o.rescue = x
		return o.run(ctx, at)
	})
	if err == nil {
		err = o.takeBack(ctx, secret.Public())
	}
	if err != nil {
		return control.Recovered{}, fmt.Errorf("recover: %w", err)
	}
	o.awaitMember(ctx)
	return o.out, nil
}

// memberTime is how long the member that was found may take to be met as such.
const memberTime = 20 * time.Second

// awaitMember waits until the folders that came back hear somebody: until then a
// status would tell that nothing is wanted, since nothing is known of.
func (o *recovering) awaitMember(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, memberTime)
	defer cancel()
	for {
		changed := o.device.changed.next()
		heard := true
		for _, f := range o.back {
			s := o.device.share(f.ID)
			if s == nil {
				continue
			}
			some := false
			for id, m := range s.Status().Members {
				some = some || m.Connected && id != o.device.id.ID()
			}
			heard = heard && some
		}
		if heard {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// addressesOf are where a paired device was met, with its ID.
func (d *Device) addressesOf(id entry.DeviceID) (out []string) {
	p, _ := d.store.Peer(id)
	for _, a := range p.Addresses {
		bare, _, _ := strings.Cut(a, "/p2p/")
		out = append(out, bare+"/p2p/"+string(id))
	}
	return out
}

// recovering is one run of Recover: what is found, chosen and said.
type recovering struct {
	device   *Device
	rescue   *rescuing
	request  control.RecoverRequest
	progress func(string) error

	back []*regained
	out  control.Recovered
}

// regained is a folder that the words open.
type regained struct {
	rescue.Folder
	members []whereabouts // that tell of it
	put     placement
	revoked bool // somebody was put out
}

func (o *recovering) run(ctx context.Context, at []string) error {
	if err := o.find(ctx, at); err != nil {
		return err
	}
	all := o.opened()
	if err := o.tell(all); err != nil {
		return err
	}
	if err := o.choose(all); err != nil {
		return err
	}
	lost, err := o.lost(all)
	if err != nil {
		return err
	}
	if err := o.device.place(o.request.To, o.back); err != nil {
		return err
	}
	if err := o.state(all, lost); err != nil {
		return err
	}
	for _, f := range all {
		if !o.rescue.Await(ctx, takeTime, func() bool { return o.rescue.Taken(f.ID) }) {
			return errors.Join(ctx.Err(), fmt.Errorf("%q: %w: nobody took the statement that this device is a member", f.Label, control.ErrTimeout))
		}
		f.Roster = o.rescue.Roster(f.ID)
	}
	return nil
}

// find waits until the devices at the addresses, or those on the local network,
// have told the rosters that they have.
func (o *recovering) find(ctx context.Context, at []string) error {
	x, d := o.rescue, o.device
	limit, what := lanTime, "looking for a device on the local network that knows the words"
	if len(at) > 0 {
		limit, what = reachTime, "looking for a device that knows the words"
	} else if !d.Settings.MDNS {
		return fmt.Errorf("%w: %w", control.ErrInvalid, discovery.ErrNoLAN)
	}
	if err := o.progress(what); err != nil {
		return err
	}
	there, failed := x.seek(ctx, at)
	if len(at) > 0 && len(there) == 0 {
		if o.request.Code == "" && !errors.Is(failed, discovery.ErrAddr) && !errors.Is(failed, control.ErrInvalid) {
			err := fmt.Errorf("a device that keeps the folders: %w%s", control.ErrNotFound, because(failed))
			return errors.Join(ctx.Err(), control.WithHint(err, "see that a backup or another member is up and on the same network, or say where it is with --at, or have it show a code"))
		}
		return errors.Join(ctx.Err(), notReached(failed))
	}
	met := func() bool { return len(x.Listed()) > 0 }
	if len(at) > 0 {
		met = func() bool { return len(x.Listed()) == len(there) }
	}
	x.Await(ctx, limit, met)
	if len(x.Listed()) == 0 {
		return errors.Join(ctx.Err(), o.nobody(at))
	}
	x.Await(ctx, rosterTime, func() bool { return x.Ready() && (len(at) > 0 || x.QuietFor(othersTime)) })
	return ctx.Err()
}

func (o *recovering) nobody(at []string) error {
	if len(at) > 0 {
		return control.WithHint(fmt.Errorf("a device there that knows these words: %w", control.ErrNotFound),
			"are these the words that were made last? kith recovery test tells, on a device that still has the folders")
	}
	return control.WithHint(fmt.Errorf("a device on this network that knows these words: %w", control.ErrNotFound),
		"see that the words are right, and that a device with the folders, or a backup of them, is up; or say where it is with --at, or pair with it by --code")
}

// opened are the folders that the words open, by label. Those that they should
// open, and do not, are left.
func (o *recovering) opened() []*regained {
	opened, keyless := o.rescue.found()
	for _, f := range keyless {
		o.out.Left = append(o.out.Left, f.Label)
		o.device.Log.Warn("recovery words are in force for a folder, and open no key of it", "folder", f.ID)
	}
	return opened
}

// tell says what was found.
func (o *recovering) tell(all []*regained) error {
	if len(all) == 0 {
		return control.WithHint(fmt.Errorf("a folder that these words open: %w", control.ErrNotFound),
			"the device that was found keeps none; is there another one?")
	}
	by := map[entry.DeviceID][]string{}
	var order []whereabouts
	for _, f := range all {
		for _, w := range f.members {
			if by[w.ID] == nil {
				order = append(order, w)
			}
			by[w.ID] = append(by[w.ID], f.Label)
		}
	}
	for _, w := range order {
		if err := o.progress(cmp.Or(w.Name, string(w.ID)) + " keeps " + strings.Join(by[w.ID], ", ")); err != nil {
			return err
		}
	}
	if len(order) > 0 {
		o.out.From = control.Identity{ID: order[0].ID, Name: order[0].Name}
	}
	return nil
}

// choose takes the folders that are wanted.
func (o *recovering) choose(all []*regained) error {
	wanted := map[*regained]bool{}
	for _, text := range o.request.Folders {
		f, err := findRegained(all, text)
		if err != nil {
			return err
		}
		wanted[f] = true
	}
	for _, f := range all {
		if len(o.request.Folders) > 0 && !wanted[f] {
			o.out.Left = append(o.out.Left, f.Label)
			continue
		}
		o.back = append(o.back, f)
	}
	return firstPaths(o.back, o.request.Paths)
}

func findRegained(all []*regained, text string) (*regained, error) {
	var named, fit []*regained
	for _, f := range all {
		if f.Label == text || f.ID.String() == text {
			named = append(named, f)
		}
		if isPart(text) && strings.HasPrefix(f.ID.String(), strings.ToLower(text)) {
			fit = append(fit, f)
		}
	}
	if len(named) > 0 {
		return one(named, text, control.ErrNoFolder)
	}
	found, err := one(fit, text, control.ErrNoFolder)
	if errors.Is(err, control.ErrNoFolder) {
		var labels []string
		for _, f := range all {
			labels = append(labels, f.Label)
		}
		err = control.WithHint(err, "these can be had: "+strings.Join(labels, ", "))
	}
	return found, err
}

// everyOther stands for all devices that can read and are not there now.
const everyOther = "all"

// lost are the devices that are to be put out.
func (o *recovering) lost(all []*regained) (map[entry.DeviceID]string, error) {
	folders := make([]rescue.Folder, 0, len(all))
	for _, f := range all {
		folders = append(folders, f.Folder)
	}
	known, out := rescue.Members(folders, o.device.id.ID()), map[entry.DeviceID]string{}
	for _, text := range o.request.Revoke {
		if text == everyOther {
			for _, m := range o.rescue.Absent(known) {
				out[m.Device] = m.Name
			}
			continue
		}
		m, err := findMember(known, text)
		if errors.Is(err, control.ErrNoDevice) {
			if isOut(all, entry.DeviceID(text)) {
				continue // by somebody else, or an earlier attempt
			}
			err = control.WithHint(err, "these can be put out: "+namesOf(known)+", or all; one that is out already is named by its ID")
		}
		if err != nil {
			return nil, fmt.Errorf("revoke: %w", err)
		}
		if o.rescue.Met(m.Device) {
			return nil, fmt.Errorf("revoke %q: %w: the folders come from it", text, control.ErrInvalid)
		}
		out[m.Device] = m.Name
	}
	return out, nil
}

// isOut tells whether a device has been put out of a folder.
func isOut(all []*regained, d entry.DeviceID) bool {
	return slices.ContainsFunc(all, func(f *regained) bool { return f.Roster.Revoked(d) })
}

// namesOf are members by name, for a person to choose from.
func namesOf(known map[entry.DeviceID]roster.Member) string {
	var names []string
	for _, m := range known {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func findMember(known map[entry.DeviceID]roster.Member, text string) (roster.Member, error) {
	var named, fit []roster.Member
	for id, m := range known {
		if string(id) == text || m.Name == text {
			named = append(named, m)
		}
		if isPart(text) && strings.Contains(string(id), text) {
			fit = append(fit, m)
		}
	}
	if len(named) > 0 {
		return one(named, text, control.ErrNoDevice)
	}
	return one(fit, text, control.ErrNoDevice)
}

// state makes this device a member of the folders that are wanted, and puts
// the lost devices out of all.
func (o *recovering) state(all []*regained, lost map[entry.DeviceID]string) error {
	x, d := o.rescue, o.device
	for _, f := range all {
		if _, member := f.Roster.Member(d.id.ID()); !member && slices.Contains(o.back, f) {
			if err := x.Admit(f.ID, d.id.ID(), d.Name()); err != nil {
				return fmt.Errorf("%q: %w", f.Label, err)
			}
		}
		for id, name := range lost {
			if _, member := f.Roster.Member(id); !member {
				continue
			}
			if err := x.Revoke(f.ID, id); err != nil {
				return fmt.Errorf("put %q out of %q: %w", name, f.Label, err)
			}
			f.revoked = true
			if is := (control.Identity{ID: id, Name: name}); !slices.Contains(o.out.Revoked, is) {
				o.out.Revoked = append(o.out.Revoked, is)
			}
		}
	}
	return nil
}
