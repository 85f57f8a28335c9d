package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/traffic"
	"github.com/kithmesh/kith/protocol"
)

// limitsFile is where the limits are kept that a person has set.
const limitsFile = "limits.json"

// limitsOnDisk is its content.
type limitsOnDisk struct {
	LAN   traffic.Rate  `json:"lan,omitempty"`
	Rules []limitOnDisk `json:"rules"`
}

type limitOnDisk struct {
	Device  entry.DeviceID `json:"device,omitempty"`
	Between string         `json:"between,omitempty"`
	Up      traffic.Rate   `json:"up,omitempty"`
	Down    traffic.Rate   `json:"down,omitempty"`
}

func (d *Device) limitsPath() string { return filepath.Join(d.Places.State, limitsFile) }

// loadLimits reads the limits that were set when the device last ran.
func (d *Device) loadLimits() error {
	rules, err := readLimits(d.limitsPath())
	if err != nil {
		return fmt.Errorf("read %s (remove it to end all limits): %w", d.limitsPath(), err)
	}
	d.meter = traffic.NewMeter(rules)
	return nil
}

func readLimits(path string) (out traffic.Rules, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	var f limitsOnDisk
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return out, err
	}
	out.LAN = f.LAN
	for _, l := range f.Rules {
		r := traffic.Rule{Device: l.Device, Up: l.Up, Down: l.Down}
		if l.Between != "" {
			if r.Between, err = traffic.ParseSpan(l.Between); err != nil {
				return out, err
			}
		}
		out.Rules = append(out.Rules, r)
	}
	return out, out.Check()
}

// putLimits makes rules hold, durably first.
func (d *Device) putLimits(r traffic.Rules) error {
	f := limitsOnDisk{LAN: r.LAN, Rules: []limitOnDisk{}}
	for _, one := range r.Rules {
		f.Rules = append(f.Rules, limitOnDisk{one.Device, one.Between.String(), one.Up, one.Down})
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := durable.Write(d.limitsPath(), b, 0o600); err != nil {
		return err
	}
	d.meter.Set(r)
	return nil
}

// Limits implements [control.Limits].
func (d *Device) Limits(_ context.Context, device string) (control.LimitList, error) {
	rules := d.meter.Rules()
	out := d.limitList(rules)
	if device == "" {
		return out, nil
	}
	p, err := d.findPeer(device)
	if err != nil {
		return out, fmt.Errorf("limits: %w", err)
	}
	out.Limits = slices.DeleteFunc(out.Limits, func(l control.Limit) bool { return l.Device.ID != p.ID })
	return out, nil
}

// SetLimits implements [control.Limits].
func (d *Device) SetLimits(_ context.Context, r control.LimitRequest) (control.LimitList, error) {
	var id entry.DeviceID
	if r.Device != "" {
		p, err := d.findPeer(r.Device)
		if err != nil {
			return control.LimitList{}, fmt.Errorf("limits: %w", err)
		}
		id = p.ID
	}
	var between traffic.Span
	if r.Between != "" {
		var err error
		if between, err = traffic.ParseSpan(r.Between); err != nil {
			return control.LimitList{}, fmt.Errorf("limits: %w: %w", control.ErrInvalid, err)
		}
	}
	d.limiting.Lock()
	defer d.limiting.Unlock()
	next := d.meter.Rules()
	switch {
	case r.Clear && id == "" && r.Between == "":
		next = traffic.Rules{}
	case r.Clear && r.Between == "":
		next = next.Without(id, nil)
	case r.Clear:
		next = next.Without(id, &between)
	}
	if r.Up != 0 || r.Down != 0 {
		next = next.With(traffic.Rule{Device: id, Between: between, Up: traffic.Rate(r.Up), Down: traffic.Rate(r.Down)})
	}
	if r.LAN != 0 {
		next.LAN = max(traffic.Rate(r.LAN), traffic.Unsaid)
	}
	if err := next.Check(); err != nil {
		return control.LimitList{}, fmt.Errorf("limits: %w: %w", control.ErrInvalid, err)
	}
	if err := d.putLimits(next); err != nil {
		return control.LimitList{}, fmt.Errorf("limits: %w", err)
	}
	d.changed.tell()
	return d.limitList(next), nil
}

func (d *Device) limitList(r traffic.Rules) control.LimitList {
	now := time.Now()
	at := r.At(now)
	in := d.in()
	out := control.LimitList{
		LAN: int64(r.LAN), Up: int64(at.All[traffic.Up]), Down: int64(at.All[traffic.Down]),
		Metered: in.metered, OnMetered: string(d.setting().OnMetered), Battery: -1,
	}
	if in.power.Battery {
		out.Battery, out.Saving = in.power.Percent, d.rests(surroundings{power: in.power}) != nil
	}
	for _, one := range r.Rules {
		l := control.Limit{Between: one.Between.String(), Up: int64(one.Up), Down: int64(one.Down), Now: one.Between.Holds(now)}
		if one.Device != "" {
			l.Device = d.identity(one.Device)
		}
		out.Limits = append(out.Limits, l)
	}
	return out
}

// lane holds a stream to the limits.
func (d *Device) lane(raw network.Conn, s *protocol.Stream) *traffic.Lane {
	return d.meter.Lane(d.originOf(raw), s)
}

// onLane has a handler speak on a lane, which ends with its context.
func (d *Device) onLane(
	handle func(context.Context, entry.DeviceID, *traffic.Lane) error,
) func(context.Context, entry.DeviceID, *protocol.Stream) error {
	return func(ctx context.Context, id entry.DeviceID, s *protocol.Stream) error {
		l := d.lane(s.Conn(), s)
		defer context.AfterFunc(ctx, l.GiveUp)()
		return handle(ctx, id, l)
	}
}

// originOf is where a connection comes from.
func (d *Device) originOf(c network.Conn) traffic.Origin {
	return traffic.Origin{Device: entry.DeviceID(c.RemotePeer().String()), LAN: d.net.Local(c.RemoteMultiaddr())}
}

// passed is a stream on which this device passes on what others say.
type passed struct {
	network.Stream
	lane *traffic.Lane
}

// meterRelayed holds a stream of the relay to the limits: each byte that is
// passed on comes in and goes out.
func (d *Device) meterRelayed(s network.Stream) network.Stream {
	return &passed{s, d.meter.Lane(d.originOf(s.Conn()), s)}
}

func (p *passed) Read(b []byte) (int, error)  { return p.lane.Read(b) }
func (p *passed) Write(b []byte) (int, error) { return p.lane.Write(b) }
func (p *passed) Reset() error                { return p.lane.Reset() }

func (p *passed) Close() error {
	p.lane.GiveUp()
	return p.Stream.Close()
}

func (p *passed) ResetWithError(code network.StreamErrorCode) error {
	p.lane.GiveUp()
	return p.Stream.ResetWithError(code)
}

// Pace implements gather.Pacer.
func (s *seat) Pace(ctx context.Context, most int, ahead bool) (gather.Leave, error) {
	return s.link.window.Ask(ctx, s.share.ID, most, ahead)
}

// unlimit drops the limits of a device that is known no more.
func (d *Device) unlimit(id entry.DeviceID) error {
	d.limiting.Lock()
	defer d.limiting.Unlock()
	r := d.meter.Rules()
	if !slices.ContainsFunc(r.Rules, func(one traffic.Rule) bool { return one.Device == id }) {
		return nil
	}
	return d.putLimits(r.Without(id, nil))
}
