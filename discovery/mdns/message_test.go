package mdns

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var sample = record{
	service:  "_kith._udp",
	instance: "abc123",
	port:     5484,
	text:     []string{"n=1", "a=/ip4/10.0.0.1/tcp/5484"},
	addrs:    []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
}

func TestAnAnnouncementIsReadBack(t *testing.T) {
	b, err := announcement(sample, ttl)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parse(b)
	if err != nil || !h.response || len(h.answers) != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	instance, ok := instanceOf(h.answers[0].name, "_Kith._udp")
	if !ok || instance != "abc123" || !slices.Equal(h.answers[0].text, sample.text) {
		t.Errorf("%q %q", instance, h.answers[0].text)
	}
	if _, ok := instanceOf(h.answers[0].name, "_other._udp"); ok {
		t.Error("an answer about another service")
	}
}

func TestAGoodbyeIsNoAnswer(t *testing.T) {
	b, err := announcement(sample, goodbye)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := parse(b); err != nil || len(h.answers) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestAQuestionIsReadBack(t *testing.T) {
	b, err := question("_kith-pair-48._udp")
	if err != nil {
		t.Fatal(err)
	}
	h, err := parse(b)
	if err != nil || h.response || !slices.Equal(h.asked, []string{"_kith-pair-48._udp.local."}) {
		t.Errorf("%+v, %v", h, err)
	}
}

// The bytes on the wire, so that versions of this program understand each other.
func TestTheWireFormatStays(t *testing.T) {
	q, err := question("_kith._udp")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(q), "000000000001000000000000055f6b697468045f756470056c6f63616c00000c0001"; got != want {
		t.Errorf("question %s", got)
	}
	a, err := announcement(sample, ttl)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(a); got != wireAnnouncement {
		t.Errorf("announcement %s", got)
	}
}

const wireAnnouncement = "000084000000000500000000055f6b697468045f756470056c6f63616c00000c000100000078000906616263313233c00cc0" +
	"280021800100000078001400000000156c06616263313233056c6f63616c00c0280010800100000078001d036e3d3118613d" +
	"2f6970342f31302e302e302e312f7463702f3534383406616263313233c017000180010000007800040a000001c07a001c80" +
	"01000000780010fd000000000000000000000000000001"

func TestWhatDoesNotFitIsLeftOut(t *testing.T) {
	if got := texts([]string{strings.Repeat("x", 256), "y"}); !slices.Equal(got, []string{"y"}) {
		t.Errorf("%q", got)
	}
	if got := texts(nil); !slices.Equal(got, []string{""}) {
		t.Errorf("%q", got)
	}
	if got := texts(make([]string, 1000)); len(got) != maxTexts {
		t.Errorf("%d strings", len(got))
	}
	if _, err := announcement(record{service: "_kith._udp", instance: strings.Repeat("x", 300)}, ttl); err == nil {
		t.Error("a label of 300 bytes")
	}
}

func TestGarbageIsRefused(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, make([]byte, 11), make([]byte, maxPacket+1)} {
		if _, err := parse(b); !errors.Is(err, errMessage) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	q, _ := question("_kith._udp")
	a, _ := announcement(sample, ttl)
	f.Add(q)
	f.Add(a)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parse(b)
		if err != nil && !errors.Is(err, errMessage) {
			t.Fatal(err)
		}
		if len(h.asked) > maxRecords || len(h.answers) > maxRecords {
			t.Fatalf("%d questions, %d answers", len(h.asked), len(h.answers))
		}
		for _, s := range h.answers {
			if len(s.text) > maxTexts {
				t.Fatalf("%d strings", len(s.text))
			}
		}
	})
}
