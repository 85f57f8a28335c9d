package membership

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAddressesThatAPersonGaveAreKeptApart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	p := somePeer(1)
	p.Ask("/ip4/203.0.113.7/tcp/1")
	p.Ask("/ip4/203.0.113.8/tcp/1", "/ip4/203.0.113.7/tcp/1")
	must(t, s.PutPeer(p), s.PutPeer(somePeer(2)), s.Saw(p.ID, day, "/ip4/10.0.0.2/tcp/9"), s.Flush())
	want := []string{"/ip4/203.0.113.8/tcp/1", "/ip4/203.0.113.7/tcp/1"}
	for _, s := range []*Store{s, open(t, dir)} {
		got, _ := s.Peer(p.ID)
		if !reflect.DeepEqual(got.Asked, want) || !reflect.DeepEqual(got.Addresses, []string{"/ip4/10.0.0.2/tcp/9"}) {
			t.Errorf("asked for %q, learnt %q", got.Asked, got.Addresses)
		}
		if other, _ := s.Peer(somePeer(2).ID); other.Asked != nil {
			t.Errorf("a peer of whom nobody gave an address has %q", other.Asked)
		}
		got.Asked[0] = "changed"
		if again, _ := s.Peer(p.ID); again.Asked[0] == "changed" {
			t.Error("what a store gives out is its own")
		}
	}
}

func TestOfTooManyAddressesGivenTheOldestGiveWay(t *testing.T) {
	p := somePeer(1)
	for i := range maxAsked + 3 {
		p.Ask(fmt.Sprintf("/ip4/203.0.113.%d/tcp/1", i))
	}
	if len(p.Asked) != maxAsked || p.Asked[0] != fmt.Sprintf("/ip4/203.0.113.%d/tcp/1", maxAsked+2) {
		t.Errorf("%d addresses: %q", len(p.Asked), p.Asked)
	}
	s := open(t, t.TempDir())
	must(t, s.PutPeer(p))
	for name, asked := range map[string][]string{
		"too many": make([]string, maxAsked+1), "empty": {""}, "long": {strings.Repeat("a", maxAddress+1)}, "not UTF-8": {"\xff"},
	} {
		p.Asked = asked
		if err := s.PutPeer(p); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
