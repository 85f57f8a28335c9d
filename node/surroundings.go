package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/traffic"
	"github.com/kithmesh/kith/protocol/blocks"
)

const (
	// meteredFile is up to which size files go over a metered network.
	meteredFile = 1 << 20
	// batteryEvery is how often it is looked at the battery, if that matters.
	batteryEvery = time.Minute
)

// surroundings are what the machine is in that makes the device hold back.
type surroundings struct {
	metered bool
	power   traffic.Power
}

// in looks at the surroundings.
func (d *Device) in() surroundings {
	if in := d.around.Load(); in != nil {
		return *in
	}
	return surroundings{}
}

// rests is why nothing is exchanged at all; nil if it is.
func (d *Device) rests(in surroundings) *control.Problem {
	switch {
	case in.metered && d.setting().OnMetered == config.MeteredPause:
		return &control.Problem{
			Code: "metered", Message: "nothing is exchanged: the network is metered",
			Hint: "kith config set on-metered lan or sync changes that, metered no if it is not so",
		}
	case in.power.Battery && d.setting().OnBattery == config.BatteryPause &&
		(int64(in.power.Percent) < d.setting().BatteryBelow || d.setting().BatteryBelow == 100):
		return &control.Problem{
			Code: "battery", Message: fmt.Sprintf("nothing is exchanged: the battery is at %d %%", in.power.Percent),
			Hint: "it goes on with the charger, or from battery-below on; kith config set on-battery sync changes that",
		}
	}
	return nil
}

// saves tells whether larger files are to wait for the local network.
func (d *Device) saves(in surroundings) bool {
	return in.metered && d.setting().OnMetered == config.MeteredLAN
}

// surround takes note of other surroundings, and acts on what they change.
func (d *Device) surround(ctx context.Context, change func(*surroundings)) {
	d.mu.Lock()
	was := d.in()
	now := was
	change(&now)
	d.around.Store(&now)
	d.mu.Unlock()
	if was == now {
		return
	}
	d.changed.tell()
	if d.saves(was) == d.saves(now) && (d.rests(was) == nil) == (d.rests(now) == nil) {
		return
	}
	d.Log.Info("other surroundings", "metered", now.metered, "battery", now.power.Battery, "percent", now.power.Percent)
	if err := d.carryOutPauses(ctx); err != nil && ctx.Err() == nil {
		d.Log.Warn("act on the surroundings", "error", err)
	}
}

// watchSurroundings follows what the settings make matter, until ctx ends.
func (d *Device) watchSurroundings(ctx context.Context) {
	var was config.Settings
	for ctx.Err() == nil {
		changed := d.retuned.next()
		now := d.setting()
		d.forgetSurroundings(ctx, &was, &now)
		was = now
		ctx, cancel := context.WithCancel(ctx)
		var ends []<-chan struct{}
		follow := func(watch func(context.Context)) {
			_, done := d.tasks.start(func(context.Context) error { watch(ctx); return nil })
			ends = append(ends, done)
		}
		if now.OnBattery == config.BatteryPause {
			follow(d.watchPower)
		}
		if followsMetered(&now) {
			follow(func(ctx context.Context) {
				traffic.WatchMetered(ctx, func(is bool) { d.surround(ctx, func(in *surroundings) { in.metered = is }) })
			})
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
		cancel()
		for _, done := range ends {
			<-done
		}
	}
}

// followsMetered tells whether the system is asked about the network.
func followsMetered(s *config.Settings) bool {
	return s.Metered == config.MeteredAuto && s.OnMetered != config.MeteredSync
}

// forgetSurroundings ends what was known of the surroundings by settings that
// hold no longer. What the system has said of the network stays while it is
// asked: large files would else go out before it says so again.
func (d *Device) forgetSurroundings(ctx context.Context, was, now *config.Settings) {
	d.surround(ctx, func(in *surroundings) {
		if !followsMetered(now) || !followsMetered(was) {
			in.metered = now.Metered == config.MeteredYes
		}
		if now.OnBattery != config.BatteryPause {
			in.power = traffic.Power{}
		}
	})
}

// watchPower looks at the battery now and then.
func (d *Device) watchPower(ctx context.Context) {
	for ctx.Err() == nil {
		d.surround(ctx, func(in *surroundings) { in.power = traffic.ReadPower() })
		_ = pause(ctx, batteryEvery)
	}
}

// isLAN tells whether the peer is reached over the local network.
func (l *link) isLAN() bool {
	for _, c := range l.device.net.Host().Network().ConnsToPeer(l.peer) {
		if l.device.originOf(c).LAN {
			return true
		}
	}
	return false
}

// Gives implements gather.Chooser: on a metered network larger files wait.
func (s *seat) Gives(size int64) bool {
	return size <= meteredFile || !s.link.device.saves(s.link.device.in()) || s.link.isLAN()
}

// errMetered is why nothing is asked for, in bulk.
var errMetered = errors.New("the network is metered, and the device is not on the local one")

// holdsBack tells whether a peer is not to be given content of larger files
// for now.
func (d *Device) holdsBack(id entry.DeviceID, r *blocks.Request) bool {
	if r.Nonce != [32]byte{} || !d.saves(d.in()) {
		return false
	}
	l := d.link(id)
	return l != nil && !l.isLAN()
}

// sealedSmall gives blocks that smaller files have, as if the others were not
// there: whoever asks then goes on with what it can have, and asks again.
func (s *share) sealedSmall(ctx context.Context, r blocks.Request, send func([]byte) error) error {
	small := make([]bool, len(r.IDs))
	err := s.device.db.View(func(tx *index.Tx) error {
		f, err := tx.Folder(r.Folder)
		for i := 0; err == nil && i < len(r.IDs); i++ {
			for e := range f.FindBlock(r.IDs[i]) {
				small[i] = small[i] || e.Size <= meteredFile
			}
		}
		return err
	})
	for i := 0; err == nil && i < len(r.IDs); i++ {
		if !small[i] {
			err = send(nil)
			continue
		}
		one := r
		one.IDs = r.IDs[i : i+1]
		err = s.sealedHere(ctx, one, send)
	}
	return err
}

// waitsForLAN says that larger files wait for the local network: something is
// wanted, here or by others, and a member is connected in another way.
func (d *Device) waitsForLAN(st folder.Status) []control.Problem {
	waits := false
	if d.saves(d.in()) {
		for id, m := range st.Members {
			l := d.link(id)
			waits = waits || l != nil && m.Connected && max(st.NeedBytes, m.NeedBytes) > meteredFile && !l.isLAN()
		}
	}
	if !waits {
		return nil
	}
	return []control.Problem{{
		Code: "metered", Message: "the network is metered: files above 1 MiB wait for a device on the local network",
		Hint: "kith config set on-metered sync sends them all the same, metered no says that it is not so",
	}}
}
