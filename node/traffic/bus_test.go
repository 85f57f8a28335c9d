package traffic

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
)

// manager is NetworkManager behind a bus, as far as anybody asks here.
type manager struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// call takes a call and gives back its serial and what of it is readable.
func (m *manager) call() (serial uint32, text string) {
	fixed := make([]byte, 16)
	if _, err := io.ReadFull(m.in, fixed); err != nil {
		m.t.Error(err)
		return 0, ""
	}
	rest := make([]byte, (binary.LittleEndian.Uint32(fixed[12:])+7)&^7+binary.LittleEndian.Uint32(fixed[4:]))
	if _, err := io.ReadFull(m.in, rest); err != nil {
		m.t.Error(err)
	}
	return binary.LittleEndian.Uint32(fixed[8:]), string(rest)
}

// send sends a message in the byte order that is not that of the client.
func (m *manager) send(kind byte, fields, body []byte) {
	b := []byte{'B', kind, 0, 1}
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint32(b, 7)
	b = binary.BigEndian.AppendUint32(b, uint32(len(fields)))
	b = append(padded(append(b, fields...), 8), body...)
	if _, err := m.conn.Write(b); err != nil {
		m.t.Error(err)
	}
}

func (m *manager) answer(serial uint32, metered byte) {
	fields := binary.BigEndian.AppendUint32([]byte{fieldReplySerial, 1, 'u', 0}, serial)
	fields = append(fields, fieldSignature, 1, 'g', 0, 1, 'v', 0)
	m.send(methodReturn, fields, []byte{1, 'u', 0, 0, 0, 0, 0, metered})
}

func (m *manager) signal(member string) {
	fields := binary.BigEndian.AppendUint32([]byte{fieldMember, 1, 's', 0}, uint32(len(member)))
	m.send(signal, append(append(fields, member...), 0), nil)
}

func TestTheBusTellsWhatIsMeteredAndWhenThatChanges(t *testing.T) {
	here, there := net.Pipe()
	m := &manager{t, there, bufio.NewReader(there)}
	said := make(chan bool)
	ended := make(chan error, 1)
	go func() {
		b := newBus(here)
		err := b.begin(1000)
		if err == nil {
			err = b.follow(func(is bool) { said <- is })
		}
		ended <- err
	}()
	line, err := m.in.ReadString('\n')
	if err != nil || line != "\x00AUTH EXTERNAL 31303030\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = io.WriteString(there, "OK 1234\r\n")
	if line, _ = m.in.ReadString('\n'); line != "BEGIN\r\n" {
		t.Fatalf("%q", line)
	}
	for _, want := range []string{"Hello", "PropertiesChanged", "NameOwnerChanged"} {
		if _, text := m.call(); !strings.Contains(text, want) {
			t.Fatalf("%q lacks %s", text, want)
		}
	}
	for _, c := range []struct {
		answer byte
		want   bool
	}{{0, false}, {1, true}, {2, false}, {3, true}, {4, false}} {
		serial, text := m.call()
		if !strings.Contains(text, "Metered") {
			t.Fatalf("%q", text)
		}
		m.signal("NameAcquired") // means nothing
		m.answer(serial-1, 1)    // to another call
		m.answer(serial, c.answer)
		if got := <-said; got != c.want {
			t.Errorf("%d is %v", c.answer, got)
		}
		m.signal("PropertiesChanged")
	}
	serial, _ := m.call()
	m.send(methodError, binary.BigEndian.AppendUint32([]byte{fieldReplySerial, 1, 'u', 0}, serial), nil)
	if <-said {
		t.Error("metered, though nobody answers")
	}
	_ = there.Close()
	if err := <-ended; err == nil {
		t.Error("it goes on without a bus")
	}
}

// quiet gives what it holds, and swallows what is said.
type quiet struct{ io.Reader }

func (quiet) Write(b []byte) (int, error) { return len(b), nil }

func FuzzBus(f *testing.F) {
	f.Add([]byte("OK x\r\n"))
	f.Add([]byte("OK x\r\nl\x02\x00\x01\x08\x00\x00\x00\x01\x00\x00\x00\x0f\x00\x00\x00\x05\x01u\x00\x04\x00\x00\x00\x08\x01g\x00\x01v\x00\x00\x01u\x00\x00\x01\x00\x00\x00"))
	f.Add([]byte("OK x\r\nB\x04\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x08\x03\x01s\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := newBus(quiet{strings.NewReader(string(in))})
		if b.begin(0) == nil {
			_ = b.follow(func(bool) {})
		}
	})
}
