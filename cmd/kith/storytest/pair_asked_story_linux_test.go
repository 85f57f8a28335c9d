package storytest

import (
	"strings"
	"testing"
)

// TestWithDiscoveryOffATicketIsEnoughForADeviceThatCanBeReached has a server on
// the public internet and a laptop at home, both as they are when nobody has
// set anything. Where a person has said that the server is, it is found again.
func TestWithDiscoveryOffATicketIsEnoughForADeviceThatCanBeReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home, public := w.behind(cone), w.public()
	at := func(p *place) *namespace {
		n := w.host()
		p.plug(n)
		return n
	}
	laptop, server := newDevice(t, "laptop", at(home)), newDevice(t, "server", at(public), "--listen", "/ip4/0.0.0.0/tcp/"+serverPort)
	laptop.start()
	server.start()

	// The other way round it cannot be, and that is said.
	s := laptop.show()
	f := server.ask("pair", s.Ticket).failure(t)
	if f.Code != "unreachable" || !strings.Contains(f.Message, "/ip4/") || !strings.Contains(f.Hint, "show the code on this one") {
		t.Errorf("a ticket of a device that cannot be reached: %+v", f)
	}
	unpaired(t, laptop, server)

	s = server.show()
	laptop.do(nil, "pair", s.Ticket)
	if e := s.end(); e.code != 0 {
		t.Fatalf("pair: %s", e.err)
	}
	laptop.goes(server, patience, "direct")
	for _, d := range []*device{laptop, server} {
		d.stop()
		d.start()
		laptop.goes(server, patience, "direct")
	}
}
