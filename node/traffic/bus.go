package traffic

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// bus is as much of a D-Bus client (D-Bus Specification 0.43) as it takes to
// follow one property. Messages of the other side are in either byte order.
type bus struct {
	in     *bufio.Reader
	out    io.Writer
	serial uint32
}

const (
	networkManager     = "org.freedesktop.NetworkManager"
	networkManagerPath = "/org/freedesktop/NetworkManager"
	busName            = "org.freedesktop.DBus"
	busPath            = "/org/freedesktop/DBus"
	properties         = "org.freedesktop.DBus.Properties"
	maxBusMessage      = 1 << 20 // bytes; what is followed here is far below
)

// Kinds of messages, and of their header fields.
const (
	methodCall   = 1
	methodReturn = 2
	methodError  = 3
	signal       = 4

	fieldPath        = 1
	fieldInterface   = 2
	fieldMember      = 3
	fieldReplySerial = 5
	fieldDestination = 6
	fieldSignature   = 8
)

// errBus is wrapped for what is no D-Bus.
var errBus = errors.New("not understood on the bus")

func newBus(conn io.ReadWriter) *bus { return &bus{in: bufio.NewReader(conn), out: conn} }

// begin says who this is, as the user of the process, and asks for news of
// NetworkManager and of its coming and going.
func (b *bus) begin(uid int) error {
	if _, err := fmt.Fprintf(b.out, "\x00AUTH EXTERNAL %s\r\n", hex.EncodeToString([]byte(strconv.Itoa(uid)))); err != nil {
		return err
	}
	line, err := b.in.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "OK ") {
		return fmt.Errorf("%w: %q", errBus, strings.TrimSpace(line))
	}
	if _, err := io.WriteString(b.out, "BEGIN\r\n"); err != nil {
		return err
	}
	if _, err := b.call(busName, busPath, busName, "Hello"); err != nil {
		return err
	}
	for _, rule := range []string{
		"type='signal',sender='" + networkManager + "',path='" + networkManagerPath + "',interface='" + properties + "',member='PropertiesChanged'",
		"type='signal',sender='" + busName + "',interface='" + busName + "',member='NameOwnerChanged',arg0='" + networkManager + "'",
	} {
		if _, err := b.call(busName, busPath, busName, "AddMatch", rule); err != nil {
			return err
		}
	}
	return nil
}

// follow tells what NetworkManager says of metered, until the bus ends. What
// it does not know, or while it does not run, is not metered.
func (b *bus) follow(say func(bool)) error {
	for {
		asked, err := b.call(networkManager, networkManagerPath, properties, "Get", networkManager, "Metered")
		if err != nil {
			return err
		}
		for again := false; !again; {
			m, err := b.read()
			if err != nil {
				return err
			}
			switch {
			case m.kind == signal && m.member != "NameAcquired":
				again = true
			case m.kind == methodReturn && m.replies == asked:
				say(m.metered())
			case m.kind == methodError && m.replies == asked:
				say(false)
			}
		}
	}
}

// call sends a call with strings as its arguments.
func (b *bus) call(to, path, iface, member string, args ...string) (serial uint32, err error) {
	b.serial++
	var body, head []byte
	for _, a := range args {
		body = putString(body, a)
	}
	field := func(code byte, kind byte, value string) {
		head = append(padded(head, 8), code, 1, kind, 0)
		if kind == 'g' {
			head = append(append(append(head, byte(len(value))), value...), 0)
			return
		}
		head = putString(head, value)
	}
	field(fieldPath, 'o', path)
	field(fieldInterface, 's', iface)
	field(fieldMember, 's', member)
	field(fieldDestination, 's', to)
	if len(args) > 0 {
		field(fieldSignature, 'g', strings.Repeat("s", len(args)))
	}
	msg := []byte{'l', methodCall, 0, 1}
	msg = binary.LittleEndian.AppendUint32(msg, uint32(len(body))) //nolint:gosec // a few short strings
	msg = binary.LittleEndian.AppendUint32(msg, b.serial)
	msg = binary.LittleEndian.AppendUint32(msg, uint32(len(head))) //nolint:gosec // as above
	msg = append(padded(append(msg, head...), 8), body...)
	_, err = b.out.Write(msg)
	return b.serial, err
}

func padded(b []byte, to int) []byte {
	for len(b)%to != 0 {
		b = append(b, 0)
	}
	return b
}

func putString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(padded(b, 4), uint32(len(s))) //nolint:gosec // short
	return append(append(b, s...), 0)
}

// busMessage is what is understood of a message.
type busMessage struct {
	kind      byte
	member    string
	replies   uint32
	signature string
	order     binary.ByteOrder
	body      []byte
}

// read takes the next message off the bus.
func (b *bus) read() (m busMessage, err error) {
	fixed := make([]byte, 16)
	if _, err := io.ReadFull(b.in, fixed); err != nil {
		return m, err
	}
	m.kind = fixed[1]
	switch fixed[0] {
	case 'l':
		m.order = binary.LittleEndian
	case 'B':
		m.order = binary.BigEndian
	default:
		return m, fmt.Errorf("%w: byte order %q", errBus, fixed[0])
	}
	body, head := m.order.Uint32(fixed[4:]), m.order.Uint32(fixed[12:])
	if body > maxBusMessage || head > maxBusMessage {
		return m, fmt.Errorf("%w: a message of %d bytes", errBus, uint64(body)+uint64(head))
	}
	rest := make([]byte, (head+7)/8*8+body)
	if _, err := io.ReadFull(b.in, rest); err != nil {
		return m, err
	}
	m.body = rest[(head+7)/8*8:]
	return m, m.fields(rest[:head])
}

// fields reads the header fields: each begins at a multiple of eight bytes.
func (m *busMessage) fields(b []byte) error {
	short := fmt.Errorf("%w: a header that ends too soon", errBus)
	for at := 0; at < len(b); at = (at + 7) &^ 7 {
		if len(b) < at+4 || b[at+1] != 1 || b[at+3] != 0 {
			return short
		}
		code, kind := b[at], b[at+2]
		at += 4
		switch kind {
		case 'u':
			if len(b) < at+4 {
				return short
			}
			if code == fieldReplySerial {
				m.replies = m.order.Uint32(b[at:])
			}
			at += 4
		case 's', 'o':
			if len(b) < at+4 || uint64(m.order.Uint32(b[at:])) >= uint64(len(b)-at-4) {
				return short
			}
			n := int(m.order.Uint32(b[at:]))
			if code == fieldMember {
				m.member = string(b[at+4 : at+4+n])
			}
			at += 4 + n + 1
		case 'g':
			if len(b) < at+1 || len(b) < at+1+int(b[at])+1 {
				return short
			}
			if code == fieldSignature {
				m.signature = string(b[at+1 : at+1+int(b[at])])
			}
			at += 1 + int(b[at]) + 1
		default:
			return fmt.Errorf("%w: a header field of type %q", errBus, kind)
		}
	}
	return nil
}

// metered reads an answer: a variant that holds a number, of which 1 is yes and
// 3 is most likely.
func (m *busMessage) metered() bool {
	if m.signature != "v" || len(m.body) < 8 || string(m.body[:3]) != "\x01u\x00" {
		return false
	}
	n := m.order.Uint32(m.body[4:])
	return n == 1 || n == 3
}
