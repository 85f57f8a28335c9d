// Package node is one device, running: it puts together the rooms that know
// nothing of each other, and supervises what runs in them.
//
// # Who is who
//
//	Device    everything that belongs to this device while it runs
//	share     one folder with its membership: the roster and what it amounts to
//	body      what a share is to the others: a folder with a tree, or a vault
//	link      one connected peer: both directions of the exchange, its blocks
//	seat      a link's place in one share
//
// A [Device] starts a folder (package folder) for each share, with a history
// beside it (package backup), or the vault alone in role backup; and a link for
// each peer that package discovery reports as connected. A link tells its peer
// about the shares it is a member of, and hands what it hears to their
// folders. How far the members that keep vaults are to be relied on is known to
// package guard, which is told how they stand here. The groups of commands of
// package control are implemented here too, one file each.
//
// # Promises
//
//   - A peer is told of, and given blocks of, only those folders whose roster
//     names it as a member, checked each time.
//   - Trust, membership and keys are durable before anything acts on them.
//   - Run returns when everything that it started has ended; the control
//     socket goes last.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/traffic"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/pair"
)

// Options is what a device is started with.
type Options struct {
	Places   config.Places
	Settings config.Settings
	Software string // name and version of the program, for peers
	Log      *slog.Logger
	// Reader reads the settings again when their file changes; nil: what they
	// are at the start holds to the end.
	Reader *config.Reader
	// Level is what Log logs from on, for when the settings change it. Nil: it
	// then changes with the next start.
	Level *slog.LevelVar
	// Ready is called once, when the device serves.
	Ready func(control.Ready)
}

// Device is a running device.
type Device struct {
	Options  // Settings are those of the start; what holds now is [Device.setting]
	id       *identity.Identity
	store    *membership.Store
	db       *index.DB
	net      *discovery.Net
	server   *protocol.Server
	meter    *traffic.Meter
	limiting sync.Mutex // held while the limits are changed
	gate     *pair.Gate
	showing  sync.RWMutex       // held for reading while a device that pairs is answered
	stop     context.CancelFunc // of Run
	changed  notice             // anything that a status shows
	tasks    tasks              // what runs beside, all of which Run waits for
	isNew    bool
	problems []control.Problem // found at the start
	setup    sync.Mutex        // held while a folder is added, accepted or left
	meeting  sync.Mutex        // held while members are admitted or let go

	acquaintances acquaintances
	guards        *guard.Store
	proofs        sync.Mutex // held while a vault is asked for proof by and by
	words         phrases
	incomplete    bool // a folder could not be started, so that not all members are known

	mu     sync.Mutex
	name   string
	shares map[entry.FolderID]*share
	links  map[entry.DeviceID]*link
	paused pauses
	around atomic.Pointer[surroundings]

	changing sync.Mutex // held while settings are changed
	held     atomic.Pointer[config.Settings]
	retuned  notice // of settings that [Device.watchSurroundings] goes by
	file     settingsFile
}

// Run runs a device until ctx ends or somebody stops it. It returns an error
// if the device could not start, or could not go on.
func Run(ctx context.Context, o Options) error {
	if err := o.Places.Prepare(); err != nil {
		return err
	}
	server, err := control.Listen(o.Places.Socket, o.Log)
	if err != nil {
		return err
	}
	d := &Device{
		Options: o, name: o.Settings.Name, gate: pair.NewGate(time.Now, rand.Reader),
		shares: map[entry.FolderID]*share{}, links: map[entry.DeviceID]*link{}, changed: newNotice(),
		retuned: newNotice(), file: newSettingsFile(),
	}
	if err := d.open(); err != nil {
		return errors.Join(err, server.Close())
	}
	serveCtx, endServing := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Run(serveCtx, d.controlled()) }()
	err = d.run(ctx)
	err = errors.Join(err, d.close())
	endServing()
	return errors.Join(err, <-served)
}

// open opens what the device keeps on disk, and its place on the network.
func (d *Device) open() (err error) {
	_, missing := os.Lstat(d.Places.Key)
	d.isNew = errors.Is(missing, os.ErrNotExist)
	if d.id, err = identity.LoadOrCreate(d.Places.Key); err != nil {
		return err
	}
	if d.store, err = membership.Open(d.Places.Membership); err != nil {
		return err
	}
	for _, p := range d.store.Problems() {
		d.Log.Warn("put a damaged file right", "file", p.File, "error", p.Err)
	}
	if err = errors.Join(d.loadPauses(), d.loadLimits(), d.loadWords()); err != nil {
		return err
	}
	d.guards = guard.Open(filepath.Join(d.Places.State, guardsFile), d.Log)
	if err = d.openIndex(); err != nil {
		return err
	}
	o := discovery.Options{
		Key: d.id.Key(), Listen: d.Settings.Listen, LANOnly: d.Settings.LANOnly, MDNS: d.Settings.MDNS,
		Log: d.Log, UserAgent: d.Software, Relayed: d.meterRelayed,
	}
	if mode := d.discovery(); mode != config.DiscoveryOff {
		wide := d.wide(mode)
		o.Beyond, o.Relay, o.PortMapping, o.Board = true, wide.Relay, wide.PortMapping, wide.Board
	}
	d.net, err = discovery.New(o)
	if err != nil {
		return errors.Join(listenHint(err), d.db.Close())
	}
	d.server = protocol.NewServer(d.net.Trusted, d.Log)
	return nil
}

// openIndex opens the index. One that is damaged is put aside and begun anew:
// the folders' histories are then learnt from their other members.
func (d *Device) openIndex() (err error) {
	if _, err := os.Stat(d.forgetMark()); err == nil {
		if err := errors.Join(index.Compact(d.Places.Index), durable.Remove(d.forgetMark())); err != nil {
			d.Log.Warn("the index still has traces of a folder that this device cannot read any more", "error", err)
		}
	}
	d.db, err = index.Open(d.Places.Index)
	if !errors.Is(err, index.ErrDamaged) {
		return err
	}
	aside := fmt.Sprintf("%s.damaged-%s", d.Places.Index, time.Now().UTC().Format("20060102-150405"))
	d.Log.Error("the index is damaged; it is put aside and begun anew", "error", err, "aside", aside)
	if err := os.Rename(d.Places.Index, aside); err != nil {
		return err
	}
	d.problems = append(d.problems, control.Problem{
		Code: "index_rebuilt", Message: "the index was damaged and is begun anew; the old one is " + aside,
		Hint: "nothing is lost: the folders are compared with those of the other devices",
	})
	d.db, err = index.Open(d.Places.Index)
	return err
}

// forgetMark is a file that says that the index is to be written anew when the
// device next starts, since what was deleted from it must not stay readable.
func (d *Device) forgetMark() string { return d.Places.Index + ".forget" }

// run starts everything and waits for the first thing to end.
func (d *Device) run(parent context.Context) error {
	ctx, stop := context.WithCancel(parent)
	defer stop()
	d.stop = stop
	g, ctx := errgroup.WithContext(ctx)
	d.tasks.begin(ctx, g)
	d.serve()
	for _, f := range d.store.Folders() {
		if _, err := d.startShare(f); err != nil {
			d.Log.Error("start a folder", "folder", f.Label, "error", err)
			d.incomplete = true
			d.problem(control.Problem{Code: "folder_failed", Message: fmt.Sprintf("folder %q: %v", f.Label, err)})
		}
	}
	d.meetCompanions()
	for _, p := range d.store.Peers() {
		if err := d.trust(p); err != nil {
			d.Log.Warn("trust a device", "device", p.ID, "error", err)
		}
	}
	g.Go(func() error { return d.net.Run(ctx) })
	g.Go(func() error { d.watchNet(); return nil })
	g.Go(func() error { d.watchPauses(ctx); return nil })
	g.Go(func() error { return d.meter.Run(ctx) })
	g.Go(func() error { d.watchSurroundings(ctx); return nil })
	g.Go(func() error { return d.watchSettings(ctx) })
	g.Go(func() error { d.watchBackups(ctx); return nil })
	g.Go(func() error { d.watchRecovery(ctx); return nil })
	d.Log.Info("running", "device", d.id.ID(), "name", d.name)
	if d.Ready != nil {
		d.Ready(control.Ready{
			Identity: control.Identity{ID: d.id.ID(), Name: d.Name()}, Listen: d.net.Addrs(), New: d.isNew,
		})
	}
	err := g.Wait()
	if parent.Err() != nil || errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// errStopped ends the group of a device that was told to stop.
var errStopped = errors.New("stopped")

// close lets go of everything, in the order in which it depends on each other.
func (d *Device) close() error {
	d.server.Close()
	d.words.Forget()
	return errors.Join(d.net.Close(), d.store.Flush(), d.guards.Flush(), d.db.Close())
}

// Name is what a person calls this device.
func (d *Device) Name() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.name
}

func (d *Device) problem(p control.Problem) {
	d.mu.Lock()
	d.problems = append(d.problems, p)
	d.mu.Unlock()
	d.changed.tell()
}

// trust admits a paired device, at the addresses where it was last.
func (d *Device) trust(p membership.Peer) error {
	id, err := peer.Decode(string(p.ID))
	if err != nil {
		return err
	}
	if d.isPaused(p.ID) {
		return nil
	}
	if err := d.net.Trust(id); err != nil {
		return err
	}
	d.net.Vouch(id, p.Asked)
	d.net.Remember(id, p.Addresses)
	return nil
}
