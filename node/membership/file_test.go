package membership

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// files are all files of a store but the twins.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*" + suffix, "*/*" + suffix} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		must(t, err)
		out = append(out, found...)
	}
	if len(out) != 3 {
		t.Fatal(out)
	}
	return out
}

// spoilt are the ways in which data can be damaged.
func spoilt(data []byte) map[string][]byte {
	out := map[string][]byte{
		"empty": {}, "longer": append(bytes.Clone(data), '\n'), "zeros": make([]byte, len(data)),
		"by hand": bytes.Replace(data, []byte("12D3"), []byte("12D4"), 1),
	}
	if i := bytes.Index(data, []byte("role = ")); i > 0 {
		out["by hand"] = append(append(bytes.Clone(data[:i]), "x"...), data[i:]...)
	}
	for i := 0; i < len(data); i += 37 {
		flipped := bytes.Clone(data)
		flipped[i] ^= 0x10
		out["flipped at "+string(rune('a'+i%26))+strings.Repeat(".", i/37)] = flipped
		out["cut at "+strings.Repeat(".", i/37)] = data[:i]
	}
	return out
}

func TestADamagedFileIsMendedFromItsTwinAndReported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	want := contents(everything(t, dir))
	for _, path := range files(t, dir) {
		good, err := os.ReadFile(path)
		must(t, err)
		for name, bad := range spoilt(good) {
			for _, at := range []string{path, path + twin} {
				must(t, os.WriteFile(at, bad, 0o600))
				s := open(t, dir)
				if got := contents(s); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, %s: %+v", at, name, got)
				}
				p := s.Problems()
				if len(p) != 1 || p[0].File != at || !errors.Is(p[0].Err, ErrDamaged) || !strings.Contains(p[0].Err.Error(), at) {
					t.Fatalf("%s, %s: %+v", at, name, p)
				}
				if len(open(t, dir).Problems()) != 0 {
					t.Fatalf("%s, %s: not mended", at, name)
				}
			}
		}
		if kept, err := os.ReadFile(path + broken); err != nil || bytes.Equal(kept, good) {
			t.Fatalf("the damaged file is not kept: %v", err)
		}
	}
}

func TestAFileDamagedTogetherWithItsTwinIsRefusedByName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	everything(t, dir)
	for _, path := range files(t, dir) {
		good, err := os.ReadFile(path)
		must(t, err)
		for name, bad := range spoilt(good) {
			must(t, os.WriteFile(path, bad, 0o600), os.WriteFile(path+twin, bad, 0o600))
			_, err := Open(dir)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%s: %v", name, err)
			}
			if strings.Contains(err.Error(), "abab") {
				t.Fatalf("%s: the message shows a key: %v", name, err)
			}
			if left, _ := os.ReadFile(path); !bytes.Equal(left, bad) {
				t.Fatalf("%s: the file was changed", name)
			}
		}
		must(t, os.WriteFile(path, good, 0o600), os.WriteFile(path+twin, good, 0o600))
	}
}

func TestAMissingFileIsMendedFromItsTwin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	want := contents(everything(t, dir))
	for _, path := range files(t, dir) {
		must(t, os.Remove(path))
		if s := open(t, dir); !reflect.DeepEqual(contents(s), want) || len(s.Problems()) != 1 {
			t.Fatalf("%s: %v", path, s.Problems())
		}
		must(t, os.Remove(path+twin))
		if s := open(t, dir); !reflect.DeepEqual(contents(s), want) || len(s.Problems()) != 0 {
			t.Fatalf("%s, twin: %v", path, s.Problems())
		}
		if _, err := os.Stat(path + twin); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash between the two writes of a change leaves an older twin: the change
// holds, and the twin follows.
func TestAnOlderTwinIsBroughtUpToDate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	path := filepath.Join(dir, peersFile)
	old, err := os.ReadFile(path)
	must(t, err, s.RemovePeer(somePeer(1).ID), os.WriteFile(path+twin, old, 0o600))
	if s = open(t, dir); len(s.Peers()) != 1 || len(s.Problems()) != 0 {
		t.Fatalf("%v, %v", s.Peers(), s.Problems())
	}
	must(t, os.Remove(path))
	if s = open(t, dir); len(s.Peers()) != 1 {
		t.Fatal("a removed peer came back with the twin")
	}
}

func TestAFileUnderAnotherNameIsRefused(t *testing.T) {
	for _, sub := range []string{foldersDir, offersDir} {
		dir := filepath.Join(t.TempDir(), "membership")
		everything(t, dir)
		found, _ := filepath.Glob(filepath.Join(dir, sub, "*"+suffix))
		other := filepath.Join(dir, sub, strings.Repeat("0", 32)+suffix)
		must(t, os.Rename(found[0], other))
		if _, err := Open(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), other) {
			t.Fatal(err)
		}
	}
}

func TestWhatACrashLeftIsSweptAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	everything(t, dir)
	left := filepath.Join(dir, foldersDir, ".kith-tmp-1")
	must(t, os.WriteFile(left, []byte("x"), 0o600))
	open(t, dir)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func TestAFailedWriteIsNotInEffect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	s := everything(t, dir)
	want := contents(s)
	must(t, os.Rename(dir, dir+"-gone")) // as if the disk were
	if s.PutPeer(somePeer(9)) == nil || s.RemovePeer(somePeer(1).ID) == nil || s.PutFolder(someFolder(t, 9)) == nil ||
		s.RemoveFolder(someFolder(t, 1).ID) == nil || s.PutOffer(someOffer(t, 9, 1)) == nil {
		t.Fatal("a write that reached nothing passes for one that did")
	}
	if got := contents(s); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v", got)
	}
	must(t, os.Rename(dir+"-gone", dir), s.PutPeer(somePeer(9)))
}

// These texts lie on people's disks: if this test fails, the code is wrong.
func TestTheFilesNeverChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "membership")
	want := contents(everything(t, dir))
	for _, path := range files(t, dir) {
		rel, _ := filepath.Rel(dir, path)
		golden := filepath.Join("testdata", "golden", rel)
		got, err := os.ReadFile(path)
		must(t, err)
		if *update {
			must(t, os.MkdirAll(filepath.Dir(golden), 0o755), os.WriteFile(golden, got, 0o644))
		}
		if old, err := os.ReadFile(golden); err != nil || !bytes.Equal(old, got) {
			t.Fatalf("%s is now (%v)\n%s", rel, err, got)
		}
	}
	fresh := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(fresh, os.DirFS(filepath.Join("testdata", "golden"))))
	if got := contents(open(t, fresh)); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v", got)
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add(seal(nil))
	f.Add(seal([]byte("a = 1\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := unseal(data)
		if err == nil && !bytes.Equal(seal(text), data) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%q, %v", text, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	p, folder, o := somePeer(1), someFolder(f, 1), someOffer(f, 2, 1)
	for _, encoded := range [][]byte{
		first(encodePeers([]Peer{p})), first(encodeFolder(&folder)), first(encodeOffer(&o)),
	} {
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if peers, err := decodePeers(text); err == nil {
			again, err := decodePeers(first(encodePeers(sortedBy(peers, func(p Peer) string { return string(p.ID) }))))
			if err != nil || !reflect.DeepEqual(peers, again) {
				t.Fatalf("%+v\n%+v\n%v", peers, again, err)
			}
		}
		if f, err := decodeFolder(text); err == nil {
			again, err := decodeFolder(first(encodeFolder(&f)))
			if err != nil || !reflect.DeepEqual(f, again) {
				t.Fatalf("%+v\n%+v\n%v", f, again, err)
			}
		}
		if o, err := decodeOffer(text); err == nil {
			again, err := decodeOffer(first(encodeOffer(&o)))
			if err != nil || !reflect.DeepEqual(o, again) {
				t.Fatalf("%+v\n%+v\n%v", o, again, err)
			}
		}
	})
}

func first(b []byte, _ error) []byte { return b }
