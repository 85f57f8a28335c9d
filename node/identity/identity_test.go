package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
)

func fixed(t testing.TB) (*Identity, ed25519.PrivateKey) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	i, err := fromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return i, key
}

func TestAKeyIsMadeOnceAndReadEverAfter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	first, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	again, err := LoadOrCreate(path)
	if err != nil || again.ID() != first.ID() || !again.Key().Equals(first.Key()) {
		t.Fatalf("%v, then %v (%v)", first, again, err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a key was made over another: %v", err)
	}
	if _, err := Load(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("want ErrNotExist, got %v", err)
	}
}

func TestTheIDIsTheOneThatLibp2pDerives(t *testing.T) {
	i, _ := fixed(t)
	id, err := peer.IDFromPrivateKey(i.Key())
	if err != nil || entry.DeviceID(id.String()) != i.ID() {
		t.Fatalf("%s, %s, %v", id, i.ID(), err)
	}
}

// This text lies on people's disks: if this test fails, the code is wrong.
func TestTheFileNeverChanges(t *testing.T) {
	i, key := fixed(t)
	want, err := os.ReadFile("testdata/device.key")
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(i.ID(), key); !bytes.Equal(got, want) {
		t.Fatalf("the file is now\n%s", got)
	}
	sig, err := i.Sign([]byte("kith"))
	const golden = "02e01704839eb8c1176023ee5a0b1e92f0969064752134cd11f48d0fdd7ee0b15a0e89cb8c99cdcfbb9564c683bce60329447a4f5a6fe358c9d8746907a06209"
	if got := hex.EncodeToString(sig); err != nil || got != golden {
		t.Fatalf("the signature is now %s (%v)", got, err)
	}
}

func TestADamagedFileIsRefusedAndStays(t *testing.T) {
	i, key := fixed(t)
	good := encode(i.ID(), key)
	_, other, _ := ed25519.GenerateKey(nil)
	bad := map[string][]byte{
		"empty": {}, "longer": append(bytes.Clone(good), '\n'), "huge": make([]byte, maxFile+1),
		"someone else's ID": encode(i.ID(), other),
		"CRLF":              bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")),
		"a later version":   bytes.Replace(good, []byte("key 1"), []byte("key 2"), 1),
		"a PEM key":         []byte("-----BEGIN PRIVATE KEY-----\n"),
	}
	for n := range good {
		bad[fmt.Sprint("cut to ", n)] = good[:n]
		flipped := bytes.Clone(good)
		flipped[n] ^= 1 << (n % 8)
		bad[fmt.Sprint("flipped at ", n)] = flipped
	}
	path := filepath.Join(t.TempDir(), "device.key")
	seed := base64.StdEncoding.EncodeToString(key.Seed())
	for name, data := range bad {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreate(path)
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), seed[:12]) {
			t.Fatalf("%s: the message does not name the file, or shows the key: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, data) {
			t.Fatalf("%s: the file was changed", name)
		}
	}
}

func TestAKeyThatOthersCouldReadIsRefusedWithAHint(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	path := filepath.Join(t.TempDir(), "device.key")
	if _, err := Create(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o601, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreate(path)
		if !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "chmod 600 '"+path+"'") {
			t.Fatalf("mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Fatalf("a read-only key is refused: %v", err)
	}
}

func TestAKeyOfSomebodyElseIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	path := filepath.Join(t.TempDir(), "device.key")
	if _, err := Create(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrExposed) {
		t.Fatal(err)
	}
}

func TestNoKeyIsMadeWhereALinkLeadsNowhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	if err := os.Symlink(path+"-unmounted", path); err != nil {
		t.Skipf("needs symlinks: %v", err)
	}
	if i, err := LoadOrCreate(path); err == nil {
		t.Fatalf("made %v", i)
	}
	if _, err := LoadOrCreate(t.TempDir()); err == nil {
		t.Fatal("a directory passed for a key")
	}
}

func TestProcessesThatStartAtOnceEndUpWithOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	ids := make([]entry.DeviceID, 8)
	var wg sync.WaitGroup
	for n := range ids {
		wg.Go(func() {
			i, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[n] = i.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several keys: %v", ids)
		}
	}
}

func TestASignatureIsOfOneDeviceAndOneMessage(t *testing.T) {
	i, _ := fixed(t)
	msg := []byte("hello")
	sig, err := i.Sign(msg)
	if err != nil || !Verify(i.ID(), msg, sig) {
		t.Fatalf("own signature refused (%v)", err)
	}
	other, err := Create(filepath.Join(t.TempDir(), "k"))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := peer.Decode(string(i.ID()))
	for name, ok := range map[string]bool{
		"another device":      Verify(other.ID(), msg, sig),
		"another message":     Verify(i.ID(), []byte("hellO"), sig),
		"cut":                 Verify(i.ID(), msg, sig[:63]),
		"none":                Verify(i.ID(), msg, nil),
		"no device":           Verify("", msg, sig),
		"garbage":             Verify("12D3KooWxxxx", msg, sig),
		"another spelling":    Verify(entry.DeviceID(peer.ToCid(id).String()), msg, sig),
		"an RSA style hash":   Verify("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", msg, sig),
		"surrounded by space": Verify(" "+i.ID(), msg, sig),
	} {
		if ok {
			t.Errorf("%s: believed", name)
		}
	}
}

func TestTheKeyIsNeverPrinted(t *testing.T) {
	i, key := fixed(t)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", i)
		fmt.Fprintf(&out, verb+"\n", struct{ I *Identity }{i})
		fmt.Fprintf(&out, verb+"\n", *i)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "i", i, "in", struct{ I *Identity }{i})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "i", i, "in", struct{ I *Identity }{i})
	if err := json.NewEncoder(&out).Encode(i); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), string(i.ID())) {
		t.Fatal("the ID should be there")
	}
	seed := key.Seed()
	for _, form := range []string{
		hex.EncodeToString(seed[:4]), base64.StdEncoding.EncodeToString(seed[:6]), "7 7 7", "0x7, 0x7", string(seed[:4]),
	} {
		if strings.Contains(out.String(), form) {
			t.Fatalf("the key is printed as %q:\n%s", form, out.String())
		}
	}
}

func FuzzDecode(f *testing.F) {
	i, key := fixed(f)
	f.Add(encode(i.ID(), key))
	f.Add([]byte(heading))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		raw, _ := i.Key().Raw()
		if !bytes.Equal(encode(i.ID(), raw), data) {
			t.Fatalf("two texts for one key:\n%s", data)
		}
	})
}
