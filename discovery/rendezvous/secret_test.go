package rendezvous

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"pgregory.net/rapid"
)

// fixed is a device whose seed is 32 times the same byte.
func fixed(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func TestBothOfAPairHaveTheSameSecretAndNobodyElseHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := func(name string) ed25519.PrivateKey {
			return ed25519.NewKeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
		}
		a, b, c := key("a"), key("b"), key("c")
		ab, err := pairSecret(a, public(b))
		if err != nil {
			t.Fatal(err)
		}
		ba, err := pairSecret(b, public(a))
		if err != nil || !bytes.Equal(ab, ba) {
			t.Fatalf("%x and %x, %v", ab, ba, err)
		}
		cb, err := pairSecret(c, public(b))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, c) && bytes.Equal(ab, cb) {
			t.Fatal("another pair has the same secret")
		}
	})
}

func TestPointsThatWouldGiveTheSecretAwayAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"the neutral element":   "0100000000000000000000000000000000000000000000000000000000000000",
		"a point of order two":  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"a point of order four": "0000000000000000000000000000000000000000000000000000000000000000",
		"no point":              "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := pairSecret(fixed(1), raw); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %x, %v", name, s, err)
		}
	}
}

// The vectors freeze what two devices of different versions have to agree on.
func TestTheDerivationIsFrozen(t *testing.T) {
	a, b := fixed(1), fixed(2)
	secret, err := pairSecret(a, public(b))
	if err != nil {
		t.Fatal(err)
	}
	forth, err := noticeSlot(secret, 20000, public(a), public(b))
	if err != nil {
		t.Fatal(err)
	}
	back, err := noticeSlot(secret, 20000, public(b), public(a))
	if err != nil {
		t.Fatal(err)
	}
	plate, err := plateSlot(123456789, 20000)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ what, got, want string }{
		{"secret", hex.EncodeToString(secret), "8a7da10794a510f90022c7725311d35ccf30f9b6aca5ca7e961968af760b1352"},
		{"key of the notice of 1 for 2", hex.EncodeToString([]byte(forth.key())), "2f69706e732f00240801122069f23dc58fb09780666eb818aaaa6162e721f19b079bf1350e12c0395caf514b"},
		{"key of the notice of 2 for 1", hex.EncodeToString([]byte(back.key())), "2f69706e732f00240801122010c2105fb61fa32fdc20b5b991c6f724eda86e03eaf15a2ecc858c30db275e04"},
		{"key of a plate", hex.EncodeToString([]byte(plate.key())), "2f69706e732f00240801122084f04e16f10d9fa0e0a515ed5cbdaf4f487aa9cade7d2f1bb601dbb551452280"},
	} {
		if v.got != v.want {
			t.Errorf("%s: %s, want %s", v.what, v.got, v.want)
		}
	}
}

func TestARecordOfTheFirstVersionIsReadForEver(t *testing.T) {
	secret, err := pairSecret(fixed(2), public(fixed(1)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := noticeSlot(secret, 20000, public(fixed(1)), public(fixed(2)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/notice.record")
	if err != nil {
		t.Fatal(err)
	}
	n, err := openRecord(s, raw)
	if err != nil {
		t.Fatal(err)
	}
	want := addrs("/ip4/203.0.113.7/udp/5484/quic-v1", "/ip6/2001:db8::7/tcp/5484")
	if !same(n.addrs, want) || n.sequence != 1728000000000 || !n.device.Equal(public(fixed(1))) {
		t.Errorf("%+v", n)
	}
}

func TestADayIsOneOfUniversalTime(t *testing.T) {
	for at, want := range map[string]Day{
		"1970-01-01T00:00:00Z": 0, "1970-01-01T23:59:59Z": 0, "1969-12-31T00:00:00Z": 0,
		"2024-10-04T00:00:00Z": 20000, "2024-10-03T23:59:59Z": 19999, "2024-10-04T01:00:00+02:00": 19999,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := dayOf(when); got != want {
			t.Errorf("%s: %d, want %d", at, got, want)
		}
	}
}

func TestOnlyDevicesHaveSecrets(t *testing.T) {
	_, pub, err := crypto.GenerateSecp256k1Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deviceKey(id); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if _, err := ownKey(nil); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	key, own := deviceOf(t)
	mine, err := ownKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := deviceKey(own); err != nil || !got.Equal(public(mine)) {
		t.Error(got, err)
	}
}
