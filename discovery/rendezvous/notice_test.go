package rendezvous

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	ma "github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"
)

const someRelay = "/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"

func drawAddr(t *rapid.T) ma.Multiaddr {
	port := rapid.IntRange(1, 65535).Draw(t, "port")
	ip := fmt.Sprintf("/ip4/10.%d.%d.1", rapid.IntRange(0, 255).Draw(t, "x"), rapid.IntRange(0, 255).Draw(t, "y"))
	if rapid.Bool().Draw(t, "v6") {
		ip = fmt.Sprintf("/ip6/2001:db8::%x", rapid.IntRange(1, 65535).Draw(t, "z"))
	}
	text := fmt.Sprintf("%s/tcp/%d", ip, port)
	if rapid.Bool().Draw(t, "quic") {
		text = fmt.Sprintf("%s/udp/%d/quic-v1", ip, port)
	}
	if rapid.IntRange(0, 3).Draw(t, "relay") == 0 {
		text += someRelay + "/p2p-circuit"
	}
	return ma.StringCast(text)
}

func TestWhatFitsANoticeIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOfN(rapid.Custom(drawAddr), 1, 30).Draw(t, "addrs")
		n, err := newNotice(public(fixed(1)), given)
		if err != nil {
			t.Fatal(err)
		}
		n.sequence = rapid.Uint64().Draw(t, "sequence")
		raw := n.encode()
		if len(raw) != noticeSize {
			t.Fatalf("%d bytes", len(raw))
		}
		got, err := decodeNotice(raw)
		if err != nil || !same(got.addrs, n.addrs) || got.sequence != n.sequence || !got.device.Equal(n.device) {
			t.Fatalf("%+v, %v", got, err)
		}
		if !n.addrs[0].Equal(given[0]) || len(n.addrs) > maxAddrs {
			t.Fatalf("%d of %d addresses, the first %s", len(n.addrs), len(given), n.addrs[0])
		}
	})
}

func TestOnlyAddressesThatOthersCanDialAreTold(t *testing.T) {
	n, err := newNotice(public(fixed(1)), addrs("/dns4/example.org/tcp/1", "/ip4/1.2.3.4/tcp/5", "/ip4/1.2.3.4/tcp/5", "/ip4/1.2.3.4/tcp/80/ws", someRelay+"/p2p-circuit"))
	if err != nil || !same(n.addrs, addrs("/ip4/1.2.3.4/tcp/5", someRelay+"/p2p-circuit")) {
		t.Errorf("%v, %v", n.addrs, err)
	}
	if _, err := newNotice(public(fixed(1)), addrs("/dns4/example.org/tcp/1")); !errors.Is(err, ErrAddr) {
		t.Error(err)
	}
}

func TestNoticesOfAnotherFormAreRefused(t *testing.T) {
	n, err := newNotice(public(fixed(1)), place(1))
	if err != nil {
		t.Fatal(err)
	}
	end := noticeHead + 1 + len(place(1)[0].Bytes())
	for name, change := range map[string]func([]byte) []byte{
		"too short":                  func(b []byte) []byte { return b[:noticeSize-1] },
		"too long":                   func(b []byte) []byte { return append(b, 0) },
		"empty":                      func([]byte) []byte { return nil },
		"of another version":         func(b []byte) []byte { b[0] = 2; return b },
		"with too many addresses":    func(b []byte) []byte { b[1] = maxAddrs + 1; return b },
		"with an address of nothing": func(b []byte) []byte { b[1] = 2; return b },
		"with an over-long address":  func(b []byte) []byte { b[noticeHead] = maxAddrSize + 1; return b },
		"with a damaged address":     func(b []byte) []byte { b[noticeHead+1] = 0xff; return b },
		"padded with something":      func(b []byte) []byte { b[end] = 1; return b },
		"padded with it at the end":  func(b []byte) []byte { b[noticeSize-1] = 1; return b },
	} {
		if got, err := decodeNotice(change(n.encode())); !errors.Is(err, ErrNotice) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// slots are that of a pair for a day and others that are not it.
func slots(t testing.TB) map[string]*slot {
	t.Helper()
	make := func(a, b byte, day Day) *slot {
		secret, err := pairSecret(fixed(a), public(fixed(b)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := noticeSlot(secret, day, public(fixed(a)), public(fixed(b)))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	plate, err := plateSlot(1, 100)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*slot{
		"": make(1, 2, 100), "of another pair": make(1, 3, 100), "of the other direction": make(2, 1, 100),
		"of the day before": make(1, 2, 99), "of a plate": plate,
	}
}

func sampleNotice(t testing.TB) notice {
	t.Helper()
	n, err := newNotice(public(fixed(1)), place(1))
	if err != nil {
		t.Fatal(err)
	}
	n.sequence = 1000
	return n
}

func recordIn(t testing.TB, s *slot, n notice, until time.Time) []byte {
	t.Helper()
	raw, err := newRecord(s, n, until)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// signed is a record in a slot with any value.
func signed(t testing.TB, s *slot, value string, sequence uint64) []byte {
	t.Helper()
	p, err := path.NewPath("/ipns/" + value)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ipns.NewRecord(s.sign, p, sequence, time.Now().Add(time.Hour), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ipns.MarshalRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRecordsPassTheValidatorsOfEveryDHT(t *testing.T) {
	s := slots(t)[""]
	raw := recordIn(t, s, sampleNotice(t), time.Now().Add(time.Hour))
	if err := (ipns.Validator{}).Validate(s.key(), raw); err != nil {
		t.Error("libp2p's:", err)
	}
	if err := (validator{}).Validate(s.key(), raw); err != nil {
		t.Error("kith's:", err)
	}
	if n, err := openRecord(s, raw); err != nil || !same(n.addrs, place(1)) || n.sequence != 1000 {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestRecordsThatAreNotWhatTheyShouldBeAreRefusedWithTheReason(t *testing.T) {
	all, later := slots(t), time.Now().Add(time.Hour)
	s, other, n := all[""], all["of another pair"], sampleNotice(t)
	good := recordIn(t, s, n, later)
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	sealed := func(by *slot, plain []byte) string { return encoding.EncodeToString(by.seal(plain)) }
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"of another pair":                 {recordIn(t, other, n, later), ErrRecord},
		"of the other direction":          {recordIn(t, all["of the other direction"], n, later), ErrRecord},
		"of the day before":               {recordIn(t, all["of the day before"], n, later), ErrRecord},
		"expired":                         {recordIn(t, s, n, time.Now().Add(-time.Second)), ErrRecord},
		"forged":                          {forged, ErrRecord},
		"over-long":                       {append(good, make([]byte, maxRecord)...), ErrRecord},
		"cut":                             {good[:len(good)/2], ErrRecord},
		"empty":                           {nil, ErrRecord},
		"not in base64":                   {signed(t, s, "!!!", 1000), ErrRecord},
		"sealed by another pair":          {signed(t, s, sealed(other, n.encode()), 1000), ErrSeal},
		"sealed on another day":           {signed(t, s, sealed(all["of the day before"], n.encode()), 1000), ErrSeal},
		"sealed for the other direction":  {signed(t, s, sealed(all["of the other direction"], n.encode()), 1000), ErrSeal},
		"sealed as a plate":               {signed(t, s, sealed(all["of a plate"], n.encode()), 1000), ErrSeal},
		"cut before it was signed":        {signed(t, s, sealed(s, n.encode())[:20], 1000), ErrSeal},
		"sealed too long":                 {signed(t, s, sealed(s, make([]byte, noticeSize+1)), 1000), ErrNotice},
		"padded with something":           {signed(t, s, sealed(s, append(n.encode()[:noticeSize-1], 7)), 1000), ErrNotice},
		"put into a record of a new time": {signed(t, s, sealed(s, n.encode()), 1001), ErrNotice},
	} {
		if got, err := openRecord(s, c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestAPrivateNodeStoresOnlyWhatKithWrites(t *testing.T) {
	s := slots(t)[""]
	for name, raw := range map[string][]byte{
		"some name":     signed(t, s, "example.org", 1),
		"a short text":  signed(t, s, encoding.EncodeToString(make([]byte, sealedSize-1)), 1),
		"a long text":   signed(t, s, encoding.EncodeToString(make([]byte, sealedSize+1)), 1),
		"a long record": append(recordIn(t, s, sampleNotice(t), time.Now().Add(time.Hour)), make([]byte, maxRecord)...),
		"nothing":       nil,
	} {
		if err := (validator{}).Validate(s.key(), raw); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := recordIn(t, s, sampleNotice(t), time.Now().Add(time.Hour))
	if err := (validator{}).Validate(slots(t)["of another pair"].key(), raw); !errors.Is(err, ErrRecord) {
		t.Error("under another key:", err)
	}
}

func FuzzDecodeNotice(f *testing.F) {
	n := sampleNotice(f)
	f.Add(n.encode())
	n.addrs = nil
	f.Add(n.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeNotice(raw)
		if err != nil {
			if !errors.Is(err, ErrNotice) {
				t.Fatal(err)
			}
			return
		}
		if len(got.addrs) > maxAddrs {
			t.Fatalf("%d addresses", len(got.addrs))
		}
		for _, a := range got.addrs {
			if !usable(a) {
				t.Fatalf("%s is not usable", a)
			}
		}
		again, err := decodeNotice(got.encode())
		if err != nil || !same(again.addrs, got.addrs) {
			t.Fatalf("%v and %v, %v", got.addrs, again.addrs, err)
		}
	})
}

func FuzzOpenRecord(f *testing.F) {
	s := slots(f)[""]
	f.Add(recordIn(f, s, sampleNotice(f), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := openRecord(s, raw)
		if err == nil && !same(n.addrs, place(1)) {
			t.Fatalf("forged: %v", n.addrs)
		}
		if err != nil && !errors.Is(err, ErrRecord) && !errors.Is(err, ErrSeal) && !errors.Is(err, ErrNotice) {
			t.Fatal(err)
		}
		_ = (validator{}).Validate(s.key(), raw)
	})
}
