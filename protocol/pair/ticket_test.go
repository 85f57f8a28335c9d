package pair

import (
	"encoding/base32"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

func fixedTicket() Ticket {
	t := Ticket{
		Device:    "12D3KooWGRUVh9Lp5FEHzFpjm6YdyHR6Wc5YXNmSPnEYdJmFmAkS",
		Addresses: []string{"/ip4/192.168.178.23/tcp/22067", "/ip4/192.168.178.23/udp/22067/quic-v1"},
		plate:     48,
	}
	copy(t.secret[:], "sixteen random b")
	return t
}

// wireTicket is the text of any message, valid or not.
func wireTicket(t testing.TB, m *wirepb.PairTicket) string {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return ticketPrefix + ticketText.EncodeToString(append(body, ticketChecksum(body)...))
}

func TestTicketsAreFrozen(t *testing.T) {
	file := filepath.Join("testdata", "ticket.golden")
	if *update {
		if err := os.WriteFile(file, []byte(fixedTicket().String()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fixedTicket().String() + "\n"; got != string(want) {
		t.Errorf("the ticket has changed: %s", got)
	}
}

func TestTicketsAreReadHoweverTheyArePasted(t *testing.T) {
	want := fixedTicket()
	s := want.String()
	for name, text := range map[string]string{
		"as written":  s,
		"upper case":  strings.ToUpper(s),
		"with spaces": " \t" + s + "\r\n",
		"wrapped":     s[:3] + "\n  " + s[3:80] + "\r\n" + s[80:],
	} {
		got, err := ParseTicket(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if !IsTicket(text) && name != "wrapped" {
			t.Errorf("%s: not seen as a ticket", name)
		}
	}
	if IsTicket("48-acid-bonnet-lunchbox") {
		t.Error("a code is seen as a ticket")
	}
}

func TestAMistakeInATicketIsNoticed(t *testing.T) {
	s := fixedTicket().String()
	for i := range s {
		for _, b := range []byte{'a', '7', '!', '1'} {
			if s[i] == b {
				continue
			}
			bad := []byte(s)
			bad[i] = b
			if got, err := ParseTicket(string(bad)); !errors.Is(err, ErrTicket) && !reflect.DeepEqual(got, fixedTicket()) {
				t.Errorf("%q at %d: %v", b, i, err)
			}
		}
		if _, err := ParseTicket(s[:i]); !errors.Is(err, ErrTicket) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func TestTicketsThatNoDeviceMakes(t *testing.T) {
	secret, device := make([]byte, ticketSize), string(laptop.ID)
	for name, m := range map[string]*wirepb.PairTicket{
		"empty":           {},
		"no device":       {Nameplate: 1, Secret: secret},
		"odd device":      {Nameplate: 1, Secret: secret, Device: "12D3 KooW"},
		"long device":     {Nameplate: 1, Secret: secret, Device: strings.Repeat("1", maxDevice+1)},
		"no nameplate":    {Secret: secret, Device: device},
		"large nameplate": {Nameplate: uint32(MaxPlate) + 1, Secret: secret, Device: device},
		"short secret":    {Nameplate: 1, Secret: secret[1:], Device: device},
		"long secret":     {Nameplate: 1, Secret: append(secret, 0), Device: device},
		"many addresses":  {Nameplate: 1, Secret: secret, Device: device, Addresses: make([]string, MaxAddresses+1)},
		"empty address":   {Nameplate: 1, Secret: secret, Device: device, Addresses: []string{""}},
		"long address":    {Nameplate: 1, Secret: secret, Device: device, Addresses: []string{strings.Repeat("/", MaxAddress+1)}},
		"odd address":     {Nameplate: 1, Secret: secret, Device: device, Addresses: []string{"/ip4/\x1b[0m"}},
	} {
		if got, err := ParseTicket(wireTicket(t, m)); !errors.Is(err, ErrTicket) || !reflect.DeepEqual(got, Ticket{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, s := range []string{"", "kith1", "kith2abcdefgh", "kith1a", strings.Repeat("k", maxTicket+1)} {
		if _, err := ParseTicket(s); !errors.Is(err, ErrTicket) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestTheLargestTicketIsReadBack(t *testing.T) {
	_, w, _ := openGate(t)
	address := strings.Repeat("a", MaxAddress)
	var addresses []string
	for range MaxAddresses {
		addresses = append(addresses, address)
	}
	ticket, err := w.Ticket(entry.DeviceID(strings.Repeat("d", maxDevice)), addresses)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseTicket(ticket.String()); err != nil || !reflect.DeepEqual(got, ticket) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := w.Ticket(laptop.ID, append(addresses, address)); !errors.Is(err, ErrTicket) {
		t.Errorf("one address more: %v", err)
	}
}

func FuzzParseTicket(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add([]byte(fixedTicket().String()), true)
	body, err := base32.HexEncoding.DecodeString("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body, true)
	// Raw bytes go behind a good checksum, or nothing would get past it.
	f.Fuzz(func(t *testing.T, b []byte, text bool) {
		s := string(b)
		if !text {
			s = ticketPrefix + ticketText.EncodeToString(append(b[:len(b):len(b)], ticketChecksum(b)...))
		}
		got, err := ParseTicket(s)
		if err != nil {
			return
		}
		if again, err := ParseTicket(got.String()); err != nil || again.String() != got.String() {
			t.Errorf("%q: %v", s, err)
		}
	})
}
