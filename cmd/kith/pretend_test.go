package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// pretend is a device for stories in a build that has no real one: it finds
// its peer's home in the address that it is given, and copies files there and
// back by itself. It knows one peer and one folder, and is enough to show that
// the command, the demo and the scripts work.
type pretend struct {
	controltest.Device
	home string
	mu   sync.Mutex
	pretended
}

// pretended is what a pretend device remembers in its home.
type pretended struct {
	Me     control.Identity
	Peer   control.Identity
	Other  string // the peer's home
	Tree   control.Folder
	Leads  bool              // it added the folder, and does the copying
	Synced map[string]string // digest by name when both were last the same
}

const pretendCode = "11-make-believe-words"

func runPretend(ctx context.Context, o upOptions) error {
	server, err := control.Listen(o.Places.Socket, o.Log)
	if err != nil {
		return err
	}
	p := &pretend{home: o.Places.Home}
	_ = p.load(p.home, &p.pretended)
	created := p.Me.ID == ""
	p.Me = control.Identity{ID: entry.DeviceID("pretend-" + o.Settings.Name), Name: o.Settings.Name}
	if err := p.save(); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	p.Ending = end
	o.Ready(control.Ready{Identity: p.Me, Listen: []string{"/unix" + p.home}, New: created})
	var copying sync.WaitGroup
	copying.Go(func() { p.copyUntil(ctx) })
	err = server.Run(ctx, control.Device{Lifecycle: p, Pairing: p, Peers: p, Folders: p, Sharing: p, States: p})
	end()
	copying.Wait()
	return err
}

func (p *pretend) load(home string, into *pretended) error {
	b, err := os.ReadFile(filepath.Join(home, "pretend.json"))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (p *pretend) save() error {
	b, err := json.Marshal(&p.pretended)
	if err != nil {
		return err
	}
	name := filepath.Join(p.home, "pretend.json")
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (p *pretend) change(f func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	return p.save()
}

// copyUntil makes both trees the same again and again.
func (p *pretend) copyUntil(ctx context.Context) {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = p.change(p.copyOnce)
		}
	}
}

func (p *pretend) copyOnce() {
	var other pretended
	if !p.Leads || p.Tree.Path == "" || p.load(p.Other, &other) != nil || other.Tree.Path == "" {
		return
	}
	// What is read counts only if the peer was up, once, all the while.
	up, err := os.Stat(filepath.Join(p.Other, "state", "kith.sock"))
	if err != nil {
		return
	}
	mine, theirs := contents(p.Tree.Path), contents(other.Tree.Path)
	still, err := os.Stat(filepath.Join(p.Other, "state", "kith.sock"))
	if err != nil || !os.SameFile(up, still) || !up.ModTime().Equal(still.ModTime()) {
		return
	}
	synced := make(map[string]string)
	for name := range union(mine, theirs) {
		m, t, base := mine[name], theirs[name], p.Synced[name]
		switch {
		case m == t:
		case digest(m) != base && digest(t) != base && m != "" && t != "":
			ext := filepath.Ext(name)
			copied := strings.TrimSuffix(name, ext) + " (conflict, pretend)" + ext
			put(p.Tree.Path, copied, t)
			put(other.Tree.Path, copied, t)
			put(other.Tree.Path, name, m)
			synced[copied] = digest(t)
		case digest(m) == base:
			put(p.Tree.Path, name, t)
			m = t
		default:
			put(other.Tree.Path, name, m)
		}
		if m != "" {
			synced[name] = digest(m)
		}
	}
	p.Synced = synced
}

// digest stands for a content; that of a file which is not there is empty.
func digest(content string) string {
	if content == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func contents(root string) map[string]string {
	out := make(map[string]string)
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if b, err := os.ReadFile(path); err == nil {
				name, _ := filepath.Rel(root, path)
				out[name] = string(b)
			}
		}
		return nil
	})
	return out
}

func union(a, b map[string]string) map[string]bool {
	out := make(map[string]bool)
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

func put(root, name, content string) {
	path := filepath.Join(root, name)
	if content == "" {
		_ = os.Remove(path)
		return
	}
	if b, err := os.ReadFile(path); err == nil && string(b) == content {
		return
	}
	_ = os.MkdirAll(filepath.Dir(path), 0o700)
	_ = os.WriteFile(path, []byte(content), 0o600)
}

func (p *pretend) ShowCode(ctx context.Context, r control.ShowCodeRequest, shown func(control.Invitation) error) (control.Paired, error) {
	if err := shown(control.Invitation{Code: pretendCode, Ticket: "t", Expires: time.Now().Add(time.Minute)}); err != nil {
		return control.Paired{}, err
	}
	err := eventually(ctx, "the other device", func() (bool, error) {
		b, err := os.ReadFile(filepath.Join(p.home, "guest"))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err == nil && string(b) == "wrong" {
			err = control.ErrCodeBurnt
		}
		return err == nil, err
	})
	defer func() { _ = os.Remove(filepath.Join(p.home, "guest")) }()
	var guest pretended
	if err == nil {
		b, _ := os.ReadFile(filepath.Join(p.home, "guest"))
		err = p.load(string(b), &guest)
		_ = p.change(func() { p.Peer, p.Other = guest.Me, string(b) })
	}
	if err == nil && len(r.Shares) > 0 {
		_, err = p.Share(ctx, control.ShareRequest{})
	}
	return control.Paired{Identity: guest.Me, Check: [4]string{"a", "b", "c", "d"}}, err
}

func (p *pretend) UseCode(_ context.Context, r control.UseCodeRequest) (control.Paired, error) {
	host := strings.TrimPrefix(r.At[0], "/unix")
	if r.Code != pretendCode {
		tell(host, "wrong")
		return control.Paired{}, fmt.Errorf("pair: %w", control.ErrWrongCode)
	}
	var other pretended
	if err := p.load(host, &other); err != nil {
		return control.Paired{}, err
	}
	err := p.change(func() { p.Peer, p.Other = other.Me, host })
	if err == nil {
		tell(host, p.home)
	}
	return control.Paired{Identity: other.Me, Check: [4]string{"a", "b", "c", "d"}}, err
}

// tell leaves word, whole, for a device that shows a code.
func tell(host, word string) {
	name := filepath.Join(host, "guest")
	_ = os.WriteFile(name+".new", []byte(word), 0o600)
	_ = os.Rename(name+".new", name)
}

func (p *pretend) AddFolder(_ context.Context, r control.AddRequest) (control.Folder, error) {
	f := control.Folder{ID: entry.FolderID{7}, Label: r.Label, Path: r.Path, Role: entry.RoleSync}
	return f, p.change(func() { p.Tree, p.Leads = f, true })
}

func (p *pretend) Share(context.Context, control.ShareRequest) (control.Share, error) {
	return control.Share{Folder: p.Tree, Device: p.Peer, Role: entry.RoleSync},
		os.WriteFile(filepath.Join(p.Other, "offer"), []byte(p.Tree.Label), 0o600)
}

func (p *pretend) Offers(context.Context) ([]control.Offer, error) {
	label, err := os.ReadFile(filepath.Join(p.home, "offer"))
	if err != nil {
		return nil, nil //nolint:nilerr // there is no offer
	}
	return []control.Offer{{Folder: entry.FolderID{7}, Label: string(label), From: p.Peer, Role: entry.RoleSync}}, nil
}

func (p *pretend) AcceptOffer(_ context.Context, r control.AcceptRequest) (control.Folder, error) {
	f := control.Folder{ID: entry.FolderID{7}, Label: r.Folder, Path: r.Path, Role: entry.RoleSync}
	return f, errors.Join(os.MkdirAll(r.Path, 0o700), p.change(func() { p.Tree = f }))
}

func (p *pretend) Status(context.Context, string) (control.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := control.Status{Identity: p.Me, Listen: []string{"/unix" + p.home}}
	if p.Tree.Path != "" {
		copies, _ := filepath.Glob(filepath.Join(p.Tree.Path, "*(conflict*"))
		s.Folders = []control.FolderStatus{{
			Folder: p.Tree, State: control.StateInSync, Files: int64(len(contents(p.Tree.Path))), Conflicts: int64(len(copies)),
		}}
	}
	if p.Other != "" {
		s.Peers = []control.PeerStatus{{Identity: p.Peer, Connected: true}}
	}
	return s, nil
}

func (p *pretend) ScanFolders(ctx context.Context, _ string) ([]control.FolderStatus, error) {
	s, err := p.Status(ctx, "")
	return s.Folders, err
}

func (p *pretend) Wait(ctx context.Context, r control.WaitRequest, _ func(control.Progress) error) error {
	return eventually(ctx, string(r.For), func() (bool, error) {
		var other pretended
		if err := p.load(p.Other, &other); err != nil {
			return false, err
		}
		one, err := treeDigest(p.Tree.Path)
		two, oerr := treeDigest(other.Tree.Path)
		return err == nil && oerr == nil && one == two, nil
	})
}
