package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestNoKeysFromNothing(t *testing.T) {
	if _, err := Derive(entry.FolderID{}, 1, FolderKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("zero key: %v", err)
	}
	if _, err := Derive(entry.FolderID{}, 0, FolderKey{1}); !errors.Is(err, ErrKey) {
		t.Errorf("zero epoch: %v", err)
	}
}

func TestNewFolderKeysDiffer(t *testing.T) {
	a, b := NewFolderKey(), NewFolderKey()
	if a == b || a.IsZero() || !(FolderKey{}).IsZero() {
		t.Error("two new keys are equal, or zero")
	}
}

func TestFolderEpochAndKeyEachChangeEveryDerivedKey(t *testing.T) {
	seen := map[string]string{}
	for name, k := range map[string]*Keys{
		"base": derive(t, 1, 1, 1), "folder": derive(t, 2, 1, 1), "epoch": derive(t, 1, 2, 1), "key": derive(t, 1, 1, 2),
	} {
		for label, out := range map[string][32]byte{
			"chunker": k.ChunkKey(), "block name": k.BlockID(nil), "block nonce": k.blockNonce.of(nil, nil),
			"record name": k.recordName.of(nil, nil), "record nonce": k.recordNonce.of(nil, nil), "record clear": k.recordClear.of(nil, nil),
			"batch nonce":    k.batchNonce.of(nil, nil),
			"batch content":  [32]byte(k.batch.Seal(nil, make([]byte, 12), make([]byte, 32), nil)),
			"block content":  [32]byte(k.block.Seal(nil, make([]byte, 12), make([]byte, 32), nil)),
			"record content": [32]byte(k.record.Seal(nil, make([]byte, 12), make([]byte, 32), nil)),
		} {
			if other, ok := seen[string(out[:])]; ok {
				t.Errorf("%s of %s is that of %s", label, name, other)
			}
			seen[string(out[:])] = label + " of " + name
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	secret := FolderKey(noise(32, 77))
	k, err := Derive(entry.FolderID{1}, 7, secret)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		Key  FolderKey
		Keys *Keys
		List []FolderKey
	}{secret, k, []FolderKey{secret}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U", "%t"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", secret, &secret, k, holder)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("keys", "key", secret, "pointer", &secret, "keys", k, "holder", holder)
	}
	fmt.Fprint(&out, secret.String(), secret.GoString(), errors.Join(fmt.Errorf("%v", secret)))
	if b, err := json.Marshal(holder); err == nil {
		t.Errorf("a key has become JSON: %s", b)
	}
	text := strings.ToLower(out.String())
	for _, form := range []string{
		fmt.Sprintf("%x", secret[:3]), fmt.Sprintf("%d %d", secret[0], secret[1]), fmt.Sprintf("%#x, %#x", secret[0], secret[1]),
		fmt.Sprintf("%d,%d", secret[0], secret[1]), string(bytes.ToLower(secret[:4])),
	} {
		if strings.Contains(text, form) {
			t.Errorf("printed as %q in\n%s", form, text)
		}
	}
	if !strings.Contains(text, "epoch 7") {
		t.Errorf("keys do not say whose they are: %s", text)
	}
}
