package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the plan of the house: which rooms there are, what each is
// for, which others it may know, and the shape of what lies in them. A change
// of the plan is a change of these tables, in the same commit.

const module = "github.com/kithmesh/kith/"

// room is one package.
type room struct {
	path string
	says string   // what it is for, in one sentence
	may  []string // the rooms it may import
}

// Groups of rooms that are known together.
var (
	// words: what everyone may speak of.
	words = []string{"index/version", "index/entry"}
	// sealed: what a protocol needs to say it.
	sealed = rooms(words, "index/chunk", "index/roster", "protocol/frame", "protocol/seal", "proto/wirepb")
	// belowFolder: where disk, index and peers meet.
	belowFolder = rooms(words, "index", "index/chunk", "index/roster", "node/tree", "node/tree/ignore", "node/tree/names", "node/tree/watch",
		"node/vault", "node/vault/retention", "protocol/seal", "protocol/exchange", "protocol/blocks", "protocol/history")
)

var house = []room{
	{"cmd/kith", "The command line: a client of the running device's control API, which can also start a device.",
		rooms(words, "node", "node/config", "node/control")},

	{"node", "One device, running: it wires all the other rooms and supervises its folders.",
		rooms(belowFolder, "node/backup", "node/backup/schedule", "node/vault/store", "node/config", "node/control", "node/past", "node/past/restore", "node/epochs", "node/recovery", "node/recovery/cover", "node/recovery/offline", "node/recovery/rescue", "node/recovery/words", "node/doctor", "node/durable", "node/folder", "node/folder/brake", "node/folder/choice", "node/folder/gather", "node/guard", "node/identity", "node/membership", "node/traffic", "node/web",
			"discovery", "protocol", "protocol/frame", "protocol/pair")},

	{"node/doctor", "Why a device cannot be reached, from what was tried (pure).", nil},
	{"node/traffic", "How much may be sent and received when, and who comes first.", words},

	{"node/folder", "The actor that owns one folder.",
		rooms(belowFolder, "node/folder/brake", "node/folder/choice", "node/folder/gather", "node/folder/look", "node/folder/merge")},
	{"node/folder/brake", "Which changes of others wait for a person (pure).", words},
	{"node/folder/choice", "Which paths are to lie here (pure).", words},
	{"node/folder/look", "What is on disk, compared with what the index says.", rooms(belowFolder, "node/folder/merge")},
	{"node/folder/gather", "The content of a wanted file, from wherever it can be had.", rooms(belowFolder, "node/folder/merge")},
	{"node/folder/merge", "What becomes of a path when two devices differ about it (pure).", words},
	{"node/control", "The local API: handler and client together.", rooms(words, "proto/controlpb")},
	{"node/web", "The embedded page: a client of the control API that runs in a browser.", nil},

	{"node/tree", "A folder's files on disk: listing, reading, swapping in.", rooms(words, "node/durable", "node/tree/ignore", "node/tree/names", "node/tree/watch")},
	{"node/tree/ignore", "Which paths are left alone (pure).", words},
	{"node/tree/names", "What a file system makes of names (pure).", words},
	{"node/tree/watch", "Which paths may have changed.", words},
	{"node/backup", "What a folder is on a device that holds none of its keys: a vault that takes in what members tell, and serves it.",
		rooms(words, "index/roster", "node/backup/schedule", "node/durable", "node/vault", "node/vault/retention", "node/vault/store", "protocol/blocks", "protocol/exchange", "protocol/history", "protocol/seal")},
	{"node/backup/schedule", "When a backup is due (pure).", nil},
	{"node/guard", "How far each member that keeps a vault is to be relied on.",
		rooms(words, "node/backup/schedule", "node/durable", "node/past", "protocol/blocks", "protocol/history", "protocol/seal")},
	{"node/past", "What a folder was: trees, logs and batches, opened from vaults.",
		rooms(words, "node/folder/merge", "protocol/history", "protocol/seal")},
	{"node/past/restore", "What a folder was, brought back to a disk by a plan.", rooms(words, "node/past", "node/tree", "protocol/seal")},
	{"node/vault", "Sealed blocks and records over time.", rooms(words, "index", "node/durable", "node/vault/retention", "protocol/seal")},
	{"node/vault/retention", "Which moments of the past are kept (pure).", nil},
	{"node/vault/store", "Other places for a vault's packs: a bucket, another disk.", rooms(words, "node/durable")},

	{"discovery", "Who is where.", rooms(words, "discovery/mdns", "discovery/rendezvous")},
	{"discovery/rendezvous", "Where devices leave word for each other, sealed, beyond the local network.", nil},
	{"discovery/mdns", "Announcing and finding on the local network.", nil},

	{"protocol", "What two devices say: one way to serve all streams.",
		rooms(sealed, "protocol/pair", "protocol/exchange", "protocol/blocks", "protocol/history")},
	{"protocol/pair", "From a code to mutual trust.", sealed},
	{"protocol/exchange", "Rosters, records and acknowledgements.", sealed},
	{"protocol/blocks", "Want-lists and sealed blocks.", sealed},
	{"protocol/history", "Asking a vault about the past.", sealed},
	{"protocol/frame", "Messages with their length before them.", words},
	{"protocol/seal", "Keys, block names, sealing (pure).", rooms(words, "index/chunk", "proto/wirepb")},

	{"node/config", "Settings on disk.", rooms(words, "node/durable")},
	{"node/identity", "The device key and the recovery phrase.", rooms(words, "node/durable")},
	{"node/recovery/offline", "A vault of which nothing runs, opened by words or by the keys of a member.",
		rooms(words, "index/roster", "node/backup", "node/identity", "node/membership", "node/past", "node/recovery", "node/vault/store", "protocol/history", "protocol/seal")},
	{"node/recovery/rescue", "Getting folders back from what devices tell that still have them.",
		rooms(words, "index/roster", "node/identity", "node/recovery", "protocol/exchange", "protocol/seal")},
	{"node/recovery/cover", "Which statements have words open a folder (pure).", rooms(words, "index/roster", "node/recovery", "protocol/seal")},
	{"node/recovery/words", "Which recovery words were made on this device.", rooms(words, "node/durable", "node/identity", "node/recovery")},
	{"node/recovery", "What the words of a recovery phrase open.", rooms(words, "index/roster", "protocol/seal", "node/epochs", "node/identity")},
	{"node/epochs", "How the keys of a folder follow each other, and which it can have (pure).", rooms(words, "index/roster", "protocol/seal")},
	{"node/membership", "Peers and folders, on disk.", rooms(words, "index/roster", "node/durable", "proto/diskpb")},
	{"node/durable", "Small files that survive a crash.", nil},

	{"index", "What this device holds and wants, and how the file of a database is read without trusting it.", rooms(words, "index/chunk", "index/roster", "proto/diskpb")},
	{"index/roster", "Who is a member of a folder, by signed statements (pure).", words},
	{"index/chunk", "Content-defined chunking (pure).", nil},
	{"index/entry", "The vocabulary.", []string{"index/version"}},
	{"index/version", "Which version came later (pure).", nil},

	{"proto", "The schemas, and how code is made of them.", nil},
	{"proto/wirepb", "Generated: what devices send.", nil},
	{"proto/diskpb", "Generated: what is kept on disk.", nil},
	{"proto/controlpb", "Generated: the control API.", nil},
}

// keeper says which rooms may import packages that begin with a prefix. The
// longest prefix counts; what no keeper names is free.
type keeper struct {
	prefix string
	rooms  []string
}

var keepers = []keeper{
	{"go.etcd.io/bbolt", []string{"index", "node/vault"}},
	{"github.com/fsnotify/", []string{"node/tree/watch"}},
	{"github.com/spf13/", []string{"cmd/kith"}},
	{"connectrpc.com/", []string{"node/control", "proto/controlpb"}},
	{"filippo.io/cpace", []string{"protocol/pair"}},
	{"github.com/tyler-smith/", []string{"node/identity"}},
	{"github.com/minio/", []string{"node/vault/store"}},
	{"github.com/libp2p/go-libp2p-kad-dht", []string{"discovery/rendezvous"}},
	{"github.com/ipfs/boxo", []string{"discovery/rendezvous"}},
	// A host is for those who own connections; a device's name is its peer ID.
	{"github.com/libp2p/", []string{"cmd/kith", "node", "discovery", "discovery/rendezvous", "protocol"}},
	{"github.com/libp2p/go-libp2p/core/peer", []string{"cmd/kith", "node", "discovery", "discovery/rendezvous", "protocol", "node/identity"}},
	{"github.com/libp2p/go-libp2p/core/crypto", []string{"cmd/kith", "node", "discovery", "discovery/rendezvous", "protocol", "node/identity"}},
}

// Sizes.
const (
	longFile    = 400 // lines; beyond them a file says why, in a line that begins with longBecause
	longestFile = 600
	longestFunc = 100 // lines
	mostMethods = 5   // of an interface
	mostParams  = 5   // of a function
	longBecause = "// Long because: "
)

// topLevel is all that may lie at the root beside files whose names begin with
// a dot.
var topLevel = []string{"node", "protocol", "proto", "discovery", "index", "cmd", "docs",
	"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md"}

// badNames say nothing about what is in a file.
var badNames = []string{"utils.go", "util.go", "types.go", "helpers.go", "common.go", "misc.go"}

func rooms(group []string, more ...string) []string { return slices.Concat(group, more) }

// source is one Go file of a package.
type source struct {
	name  string // relative to the module's root
	test  bool
	made  bool // generated
	lines []string
	fset  *token.FileSet
	file  *ast.File
}

// unit is one package with all its files, those for other systems included.
type unit struct {
	path  string // relative to the module
	name  string
	files []source
}

func TestHouseHasARoomForEveryPackage(t *testing.T) {
	for _, u := range units(t) {
		if find(u.path) == nil && !strings.HasSuffix(u.path, "test") {
			t.Errorf("package %s has no row in the table of the house", u.path)
		}
	}
}

func TestHouseRoomsKnowOnlyWhatTheTableAllows(t *testing.T) {
	for _, u := range units(t) {
		r := find(u.path)
		if r == nil {
			continue // told elsewhere; packages whose name ends in "test" are free
		}
		for _, f := range u.files {
			if f.test {
				continue
			}
			for _, spec := range f.file.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				if ours, ok := strings.CutPrefix(imported, module); ok {
					if !slices.Contains(r.may, ours) {
						t.Errorf("%s: %s may not import %s", f.name, u.path, ours)
					}
				} else if k := keeperOf(imported); k != nil && !slices.Contains(k.rooms, u.path) {
					t.Errorf("%s: only %s may import %s", f.name, strings.Join(k.rooms, ", "), imported)
				}
			}
		}
	}
}

func TestHouseTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range slices.Backward(house) { // the lowest come last
		if seen[r.path] {
			t.Errorf("%s has two rows", r.path)
		}
		seen[r.path] = true
		if !strings.HasSuffix(r.says, ".") {
			t.Errorf("%s does not say what it is for", r.path)
		}
		for _, m := range r.may {
			if find(m) == nil {
				t.Errorf("%s may import %s, which has no row", r.path, m)
			}
			if slices.Contains(find(m).may, r.path) {
				t.Errorf("%s and %s may import each other", r.path, m)
			}
			if strings.HasPrefix(r.path, "protocol") && (m == "index" || strings.HasPrefix(m, "node")) {
				t.Errorf("%s may import %s: a protocol knows no index and no device", r.path, m)
			}
			if strings.HasPrefix(r.path, "index") && !strings.HasPrefix(m, "index") && m != "proto/diskpb" {
				t.Errorf("%s may import %s: the index knows only itself", r.path, m)
			}
		}
	}
}

func TestHouseHasEveryPackageSayWhatItIs(t *testing.T) {
	for _, u := range units(t) {
		var docs []string
		want := "Package " + u.name + " "
		if u.name == "main" {
			want = "Command kith "
		}
		onlyTests := true
		for _, f := range u.files {
			onlyTests = onlyTests && f.test
			if !f.test && !f.made && f.file.Doc != nil {
				docs = append(docs, f.file.Doc.Text())
			}
		}
		switch {
		case onlyTests:
		case len(docs) == 0:
			t.Errorf("package %s has no comment", u.path)
		case len(docs) > 1:
			t.Errorf("package %s has %d comments", u.path, len(docs))
		case !strings.HasPrefix(docs[0], want):
			t.Errorf("the comment of package %s does not begin with %q", u.path, want)
		}
	}
}

func TestHouseKeepsFilesReadable(t *testing.T) {
	for _, u := range units(t) {
		for _, f := range u.files {
			if f.test || f.made {
				continue
			}
			if slices.Contains(badNames, filepath.Base(f.name)) {
				t.Errorf("%s: a name that says nothing", f.name)
			}
			switch n := len(f.lines); {
			case n > longestFile:
				t.Errorf("%s has %d lines, more than %d", f.name, n, longestFile)
			case n > longFile && !f.excused():
				t.Errorf("%s has %d lines, and no line after its package clause that begins with %q", f.name, n, longBecause)
			}
			f.shapes(func(at token.Pos, format string, args ...any) {
				t.Errorf("%s:%d: %s", f.name, f.fset.Position(at).Line, fmt.Sprintf(format, args...))
			})
		}
	}
}

// excused tells whether the file says why it is long.
func (f *source) excused() bool {
	after := f.lines[f.fset.Position(f.file.Package).Line:]
	return slices.ContainsFunc(after, func(line string) bool { return strings.HasPrefix(line, longBecause) })
}

// shapes complains of functions and interfaces that are too big.
func (f *source) shapes(complain func(at token.Pos, format string, args ...any)) {
	lines := func(n ast.Node) int { return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1 }
	ast.Inspect(f.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if l := lines(n); l > longestFunc {
				complain(n.Pos(), "%s has %d lines, more than %d", n.Name.Name, l, longestFunc)
			}
		case *ast.FuncType:
			if p := n.Params.NumFields(); p > mostParams {
				complain(n.Pos(), "a function of %d parameters, more than %d: make it an options struct", p, mostParams)
			}
		case *ast.InterfaceType:
			if m := n.Methods.NumFields(); m > mostMethods {
				complain(n.Pos(), "an interface of %d methods, more than %d", m, mostMethods)
			}
		}
		return true
	})
}

func TestHouseLeavesNothingForLater(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME"}
	for _, u := range units(t) {
		for _, f := range u.files {
			for i, line := range f.lines {
				for _, m := range marks {
					if !f.made && strings.Contains(line, m) {
						t.Errorf("%s:%d: %s", f.name, i+1, m)
					}
				}
			}
		}
	}
}

// Within testing/synctest time is not real, and sleeping takes none.
func TestHouseLetsNoTestSleep(t *testing.T) {
	for _, u := range units(t) {
		for _, f := range u.files {
			if !f.test {
				continue
			}
			ast.Inspect(f.file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				switch {
				case ok && isCall(call, "synctest", "Test"):
					return false
				case ok && isCall(call, "time", "Sleep"):
					t.Errorf("%s:%d: a test that sleeps", f.name, f.fset.Position(call.Pos()).Line)
				}
				return true
			})
		}
	}
}

func isCall(c *ast.CallExpr, pkg, name string) bool {
	s, ok := c.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func TestHouseTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		built := !e.IsDir() && (e.Name() == "kith" || e.Name() == "kith.exe" || strings.HasSuffix(e.Name(), ".test") || strings.HasSuffix(e.Name(), ".out"))
		if !strings.HasPrefix(e.Name(), ".") && !built && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

func find(path string) *room {
	if i := slices.IndexFunc(house, func(r room) bool { return r.path == path }); i >= 0 {
		return &house[i]
	}
	return nil
}

func keeperOf(imported string) *keeper {
	var best *keeper
	for i, k := range keepers {
		if strings.HasPrefix(imported, k.prefix) && (best == nil || len(k.prefix) > len(best.prefix)) {
			best = &keepers[i]
		}
	}
	return best
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		t.Skip("not within the module")
	}
	return filepath.Dir(mod)
}

var cached []unit

// units reads all packages of the module once.
func units(t *testing.T) []unit {
	t.Helper()
	if cached != nil {
		return cached
	}
	root := moduleRoot(t)
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct{ ImportPath, Name, Dir string }
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		u := unit{path: strings.TrimPrefix(p.ImportPath, module), name: p.Name}
		paths, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			u.files = append(u.files, read(t, root, path))
		}
		cached = append(cached, u)
	}
	if len(cached) == 0 {
		t.Fatal("go list found no package")
	}
	return cached
}

func read(t *testing.T, root, path string) source {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := source{test: strings.HasSuffix(path, "_test.go"), fset: token.NewFileSet()}
	if f.name, err = filepath.Rel(root, path); err != nil {
		t.Fatal(err)
	}
	if f.file, err = parser.ParseFile(f.fset, f.name, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	f.made = ast.IsGenerated(f.file)
	f.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return f
}
