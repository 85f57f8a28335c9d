package mdns

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	domain = "local."

	maxPacket  = 9000 // bytes, RFC 6762 section 17
	maxRecords = 64   // of one packet; the rest is not looked at
	maxTexts   = 64   // strings of one TXT record
	maxLabel   = 63   // bytes, RFC 1035

	// ttl is how long others may believe what is announced, in seconds: the
	// value of RFC 6762 section 10 for records that name a host.
	ttl = 120

	// classFlush is the class of a record that replaces what was said before
	// (RFC 6762 section 10.2); the same bit asks for a unicast answer in a
	// question, which is answered by multicast all the same.
	classFlush = dnsmessage.Class(1 << 15)
)

// errMessage is wrapped when a packet is not a message that can be used.
var errMessage = errors.New("not a multicast DNS message")

// record is an offer as it is said on one interface.
type record struct {
	service, instance string
	port              uint16
	text              []string
	addrs             []netip.Addr
}

// heard is what one packet has to say.
type heard struct {
	response bool
	asked    []string // names in question, in lower case
	answers  []said
}

type said struct {
	name string // of the instance, in lower case, with service and domain
	text []string
}

func serviceName(service string) string { return strings.ToLower(service) + "." + domain }

// question is the packet that asks for a service.
func question(service string) ([]byte, error) {
	name, err := dnsmessage.NewName(serviceName(service))
	if err != nil {
		return nil, fmt.Errorf("ask for %q: %w", service, err)
	}
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}}
	return m.Pack()
}

// announcement is the packet that says r, for seconds more.
func announcement(r record, seconds uint32) ([]byte, error) {
	service, err1 := dnsmessage.NewName(serviceName(r.service))
	full, err2 := dnsmessage.NewName(r.instance + "." + serviceName(r.service))
	target, err3 := dnsmessage.NewName(r.instance + "." + domain)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("announce %q: %w", r.instance, err)
	}
	header := func(name dnsmessage.Name, class dnsmessage.Class) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET | class, TTL: seconds}
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	m.Answers = []dnsmessage.Resource{
		{Header: header(service, 0), Body: &dnsmessage.PTRResource{PTR: full}},
		{Header: header(full, classFlush), Body: &dnsmessage.SRVResource{Port: r.port, Target: target}},
		{Header: header(full, classFlush), Body: &dnsmessage.TXTResource{TXT: texts(r.text)}},
	}
	for _, a := range r.addrs {
		var body dnsmessage.ResourceBody = &dnsmessage.AResource{}
		if a.Is4() {
			body = &dnsmessage.AResource{A: a.As4()}
		} else {
			body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(target, classFlush), Body: body})
	}
	return m.Pack()
}

// texts leaves out what does not fit; an empty TXT record has one empty string
// (RFC 6763 section 6.1).
func texts(in []string) []string {
	var out []string
	for _, t := range in {
		if len(t) <= 255 && len(out) < maxTexts {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}

// parse reads a packet. What is behind a fault in it is not read; errors wrap
// [errMessage].
func parse(b []byte) (heard, error) {
	var p dnsmessage.Parser
	head, err := p.Start(b)
	if err != nil || len(b) > maxPacket {
		return heard{}, fmt.Errorf("%w: %w", errMessage, errors.Join(err, nil))
	}
	h := heard{response: head.Response}
	for range maxRecords {
		q, err := p.Question()
		if err != nil {
			break
		}
		h.asked = append(h.asked, strings.ToLower(q.Name.String()))
	}
	if !h.response {
		return h, nil
	}
	if err := p.SkipAllQuestions(); err != nil {
		return heard{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	for range maxRecords {
		rh, err := p.AnswerHeader()
		if err != nil {
			break
		}
		if rh.Type != dnsmessage.TypeTXT || rh.TTL == 0 {
			if p.SkipAnswer() != nil {
				break
			}
			continue
		}
		txt, err := p.TXTResource()
		if err != nil {
			break
		}
		h.answers = append(h.answers, said{name: strings.ToLower(rh.Name.String()), text: texts(txt.TXT)})
	}
	return h, nil
}

// instanceOf takes the instance out of a full name of a service.
func instanceOf(name, service string) (string, bool) {
	instance, ok := strings.CutSuffix(name, "."+serviceName(service))
	return instance, ok && instance != "" && len(instance) <= maxLabel
}
