package folder_test

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/protocol/exchange"
)

// What leads to each cause, and what its hint says; see [cause].

var ofDisk = map[string]cause{
	"a path of kith's own":   {path: ".kith/folder", code: "kiths_own", do: nothing},
	"a path that nobody had": {path: "d/nobody's", code: "not_known", do: nothing},
	"ignored by the shared rules": {
		path: "x.tmp", code: "ignored", names: []string{`"*.tmp"`, ".kithignore", "line 2"},
		do: func(_ *world, a, _ *hand) {
			a.write(".kithignore", "# rules\n*.tmp\n")
			a.write("x.tmp", "x")
			a.quiet()
		},
		hint: func(w *world, a, _ *hand) { a.write(".kithignore", "# rules\n"); w.settle() },
	},
	"ignored by rules further down": {
		path: "d/sub/x.tmp", code: "ignored", names: []string{`"sub/"`, "d/.kithignore", "line 1"},
		do:   func(_ *world, a, _ *hand) { a.write("d/.kithignore", "sub/\n"); a.write("d/sub/x.tmp", "x"); a.quiet() },
		hint: func(w *world, a, _ *hand) { a.remove("d/.kithignore"); w.settle() },
	},
	"ignored by this device alone": {
		path: "d/h", code: "ignored", names: []string{`"/d/h"`, "line 1"},
		do: func(_ *world, a, _ *hand) {
			a.w.must(os.WriteFile(a.path(".kith/ignore"), []byte("/d/h\n"), 0o644))
			a.down()
			a.up()
			a.write("d/h", "x")
			a.quiet()
		},
		hint: func(w *world, a, b *hand) {
			a.w.must(os.Remove(a.path(".kith/ignore")))
			a.down()
			a.up()
			w.link(a.device, b.device)
			w.settle()
		},
	},
	"a fifo": {
		path: "d/pipe", code: "special_file",
		do:   func(_ *world, a, _ *hand) { a.w.must(mkfifo(a.path("d/pipe"))); a.scan() },
		hint: func(w *world, a, _ *hand) { a.w.must(os.Remove(a.path("d/pipe"))); w.settle() },
	},
	"a directory that may not be read": {
		path: "d/secret", code: "no_permission", names: []string{"d/secret"},
		do:   func(_ *world, a, _ *hand) { a.mkdir("d/secret"); a.quiet(); a.chmod("d/secret", 0); a.scan() },
		hint: func(w *world, a, _ *hand) { a.chmod("d/secret", 0o755); w.settle() },
	},
	"a file that is being written": {
		path: "d/draft", code: "being_written",
		do: func(_ *world, a, _ *hand) {
			f, err := os.Create(a.path("d/draft"))
			a.w.must(err)
			_, err = f.WriteString("unfinished")
			a.w.must(err)
			a.w.t.Cleanup(func() { _ = f.Close() })
			opened.Store(a.device, f)
		},
		hint: func(w *world, a, _ *hand) { letGo(a); w.settle() },
	},
	"a file that a program has open while a change of it comes": {
		path: "d/f", code: "open_for_writing", where: folder.Coming,
		do: func(w *world, a, b *hand) {
			w.cut(a.device, b.device)
			b.write("d/f", "edited")
			b.quiet()
			f, err := os.OpenFile(a.path("d/f"), os.O_WRONLY, 0)
			a.w.must(err)
			a.w.t.Cleanup(func() { _ = f.Close() })
			opened.Store(a.device, f)
			w.link(a.device, b.device)
		},
		hint: func(w *world, a, _ *hand) { letGo(a); w.settle() },
	},
	"one of many that have just gone": {
		path: "many/150", code: "going",
		do: func(w *world, a, b *hand) {
			b.down()
			b.limit = brake.Limits{Files: 1000, Share: 100}
			b.up()
			w.link(a.device, b.device)
			for i := range 300 {
				a.write(fmt.Sprintf("many/%d", i), fmt.Sprint(i))
			}
			w.settle()
			a.remove("many")
		},
		hint: func(w *world, a, _ *hand) { a.write("many/150", "put back"); w.settle() },
	},
	"below what is a file here": {
		path: "p/x", code: "parent_not_directory", names: []string{"p", "file"}, where: folder.Coming,
		do: func(w *world, a, b *hand) {
			w.cut(a.device, b.device)
			b.become(entry.RoleSend) // so that it does not say that its directory stays
			b.write("p/x", "below")
			b.quiet()
			a.write("p", "later")
			a.quiet()
			w.link(a.device, b.device)
		},
		hint: func(_ *world, a, _ *hand) { a.rename("p", "elsewhere"); a.scan() },
	},
}

func nothing(*world, *hand, *hand) {}

// opened are the files that tests write to, by device.
var opened sync.Map

// letGo closes what a device has open.
func letGo(h *hand) {
	h.w.t.Helper()
	f, _ := opened.LoadAndDelete(h.device)
	h.w.must(f.(*os.File).Close())
}

var ofRoles = map[string]cause{
	"a change that the role does not take": {
		path: "d/f", code: "not_taken", names: []string{"a newer version, by ben", "send"}, where: folder.Elsewhere,
		do:   func(w *world, a, b *hand) { a.become(entry.RoleSend); b.write("d/f", "edited"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.become(entry.RoleSync); w.settle() },
	},
	"a delete that the role does not take": {
		path: "d/f", code: "not_taken", names: []string{"a delete, by ben", "archive"}, where: folder.Elsewhere,
		do:   func(w *world, a, b *hand) { a.become(entry.RoleArchive); b.remove("d/f"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.become(entry.RoleSync); w.settle() },
	},
	"an edit that stays here": {
		path: "d/f", code: "local_edit", names: []string{"edited here", "receive"}, where: folder.LocalEdit,
		do:   func(w *world, a, _ *hand) { a.become(entry.RoleReceive); a.write("d/f", "edited"); w.settle() },
		hint: func(_ *world, a, _ *hand) { a.reverts("d/f", "d/f") },
	},
	"a file that stays here": {
		path: "d/new", code: "local_edit", names: []string{"made here", "receive"}, where: folder.LocalEdit,
		do:   func(w *world, a, _ *hand) { a.become(entry.RoleReceive); a.write("d/new", "new"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.become(entry.RoleSync); w.settle() },
	},
	"a delete that stays here": {
		path: "d/f", code: "deleted_here", names: []string{"receive"}, where: folder.Elsewhere,
		do:   func(w *world, a, _ *hand) { a.become(entry.RoleReceive); a.remove("d/f"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.get("d/f"); w.settle() },
	},
	"deleted on an archive": {
		path: "d/f", code: "not_here", names: []string{"deleted here", "nowhere else"}, where: folder.Elsewhere,
		do:   func(w *world, a, _ *hand) { a.become(entry.RoleArchive); a.remove("d/f"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.get("d/f"); w.settle() },
	},
}

var ofChoices = map[string]cause{
	"a file that was freed": {
		path: "d/f", code: "not_here", names: []string{"freed"}, where: folder.Elsewhere,
		do:   func(w *world, a, b *hand) { a.frees("d/f", b.device); w.settle() },
		hint: func(w *world, a, _ *hand) { a.get("d/f"); w.settle() },
	},
	"in a directory that is not chosen": {
		path: "d/f", code: "not_here", names: []string{`"d"`, "not chosen"}, where: folder.Elsewhere,
		do:   func(w *world, a, b *hand) { a.frees("d", b.device); w.settle() },
		hint: func(w *world, a, _ *hand) { a.get("d/f"); w.settle() },
	},
	"in a folder that is not chosen": {
		path: "new", code: "not_here", names: []string{"folder", "not chosen"}, where: folder.Elsewhere,
		do:   func(w *world, a, b *hand) { a.choose(choice.Rule{}); b.write("new", "new"); w.settle() },
		hint: func(w *world, a, _ *hand) { a.get("new"); w.settle() },
	},
	"asked for, of nobody who is connected": {
		path: "d/f", code: "waiting_for_device", names: []string{"not connected"}, where: folder.Coming,
		do: func(w *world, a, b *hand) {
			a.frees("d/f", b.device)
			w.settle()
			w.cut(a.device, b.device)
			a.get("d/f")
		},
		hint: func(w *world, a, b *hand) { w.link(a.device, b.device); w.settle() },
	},
	"asked for, of nobody who has it": {
		path: "d/f", code: "unavailable", names: []string{"no connected device"}, where: folder.Coming,
		do: func(w *world, a, b *hand) {
			c := handOf(w.add("carla"))
			c.role = entry.RoleSend // has nothing of it
			c.up()
			w.link(a.device, c.device)
			a.frees("d/f", b.device)
			w.settle()
			w.cut(a.device, b.device)
			a.get("d/f")
		},
		hint: func(w *world, a, b *hand) { w.link(a.device, b.device); w.settle() },
	},
}

var ofOthers = map[string]cause{
	"deleted by another": {
		path: "d/f", code: "deleted", names: []string{"by ben"},
		do: func(w *world, _, b *hand) { b.remove("d/f"); w.settle() },
	},
	"one of two versions": {
		path: "d/f", code: "conflict", names: []string{"1 other version"}, do: twoVersions,
		hint: func(w *world, a, _ *hand) { a.resolve("d/f", folder.KeepMain); w.settle() },
	},
	"the other of two versions": {
		path: "d/f (conflict", code: "conflict_copy", names: []string{`"d/f"`}, do: twoVersions,
		hint: func(w *world, a, _ *hand) { a.resolve("d/f", folder.KeepBoth); w.settle() },
	},
	"one of too many deletes": {
		path: "many/7", code: "held", names: []string{"a delete, by ben"}, where: folder.Coming, do: mass((*hand).remove),
		hint: func(_ *world, a, _ *hand) { a.approve(a.holding().ID) },
	},
	"one of too many rewrites": {
		path: "many/7", code: "held", names: []string{"a newer version, by ben"}, where: folder.Coming,
		do:   mass(func(h *hand, p string) { h.write(p, "encrypted "+p) }),
		hint: func(_ *world, a, _ *hand) { a.reject(a.holding().ID) },
	},
	"of before this device joined": {
		path: "d/old", code: "history_unknown", names: []string{"before this device joined"},
		do: func(w *world, a, b *hand) {
			a.loseIndex()
			a.attach()
			a.write("d/old", "old")
			a.up()
			a.scan()
		},
		hint: func(w *world, a, b *hand) { w.link(a.device, b.device); w.settle() },
	},
}

func twoVersions(w *world, a, b *hand) {
	w.cut(a.device, b.device)
	a.write("d/f", "of anna")
	b.write("d/f", "of ben")
	a.quiet()
	b.quiet()
	w.link(a.device, b.device)
	w.settle()
}

// mass does something to very many files at once.
func mass(do func(h *hand, p string)) func(w *world, a, b *hand) {
	return func(w *world, a, b *hand) {
		a.down()
		a.limit = tight
		a.up()
		for i := range 30 {
			b.write(fmt.Sprintf("many/%d", i), fmt.Sprint("content ", i))
		}
		w.link(a.device, b.device)
		w.settle()
		apart(w, b, a, func() {
			for i := range 30 {
				do(b, fmt.Sprintf("many/%d", i))
			}
		})
		a.holding()
	}
}

var ofTheFolder = map[string]cause{
	"the tree is away": {
		path: "d/f", code: "root_missing", names: []string{"root"},
		do:   func(_ *world, a, _ *hand) { a.w.must(os.Rename(a.root, a.root+".away")); a.checks() },
		hint: func(w *world, a, _ *hand) { a.w.must(os.Rename(a.root+".away", a.root)); a.checks(); w.settle() },
	},
	"something else lies there": {
		path: "d/f", code: "root_replaced",
		do: func(_ *world, a, _ *hand) {
			a.w.must(os.Rename(a.root, a.root+".away"))
			a.w.must(os.WriteFile(a.root, nil, 0o644))
			a.checks()
			a.checks() // the first may have found that there is none
		},
		hint: func(w *world, a, _ *hand) { a.putBack(); w.settle() },
	},
	"another directory lies there": {
		path: "d/f", code: "marker_missing", names: []string{"marker"},
		do: func(_ *world, a, _ *hand) {
			a.w.must(os.Rename(a.root, a.root+".away"))
			a.w.must(os.Mkdir(a.root, 0o755))
			a.checks()
			a.checks() // the first may have found that it is another
		},
		hint: func(w *world, a, _ *hand) { a.putBack(); w.settle() },
	},
	"its marker is gone": {
		path: "d/f", code: "marker_missing", names: []string{"marker"},
		do: func(_ *world, a, _ *hand) { a.w.must(os.Rename(a.path(".kith/folder"), a.root+".marker")); a.checks() },
		hint: func(w *world, a, _ *hand) {
			a.w.must(os.Rename(a.root+".marker", a.path(".kith/folder")))
			a.checks()
			w.settle()
		},
	},
	"the index was set back": {
		path: "d/f", code: "fenced", names: []string{"older"},
		do: func(_ *world, a, _ *hand) {
			now := a.folder.State()
			a.does("be asked", func(ctx context.Context) error {
				return a.folder.Started(ctx, "device-x", exchange.Start{Folder: a.w.id, Index: now.Index, Seen: 1000})
			})
		},
		hint: func(w *world, a, _ *hand) { a.does("go on", a.folder.GoOn); w.settle() },
	},
}

// putBack puts the folder's own directory in the place of what lies there.
func (h *hand) putBack() {
	h.w.t.Helper()
	h.w.must(os.Remove(h.root))
	h.w.must(os.Rename(h.root+".away", h.root))
	h.checks()
}
