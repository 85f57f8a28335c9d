package pair

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// conversation is one side's end of a stream. Its two sides take turns, so at
// any time one of them reads; it remembers what both will have to prove.
type conversation struct {
	stream io.ReadWriter
	self   Self
	remote entry.DeviceID
	role   role
	transcript
	session *session
}

func newConversation(stream io.ReadWriter, self Self, remote entry.DeviceID, r role) *conversation {
	c := &conversation{stream: stream, self: self, remote: remote, role: r}
	c.enterer, c.shower = self.ID, remote
	if r == shower {
		c.enterer, c.shower = remote, self.ID
	}
	return c
}

func (r role) other() role {
	if r == enterer {
		return shower
	}
	return enterer
}

// send writes a message in one piece and returns its bytes.
func (c *conversation) send(m *wirepb.PairMessage) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	if len(body) > maxMessage {
		return nil, fmt.Errorf("encode message: %d bytes, %d allowed", len(body), maxMessage)
	}
	frame := append(binary.AppendUvarint(nil, uint64(len(body))), body...)
	if _, err := c.stream.Write(frame); err != nil {
		return nil, fmt.Errorf("send message: %w", err)
	}
	return body, nil
}

// receive reads the next message and returns its bytes too. It wraps
// [ErrProtocol] for what is none; for a refusal it returns a [*refusal]. What
// it allocates does not depend on what a stranger claims.
func (c *conversation) receive() (*wirepb.PairMessage, []byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(c.stream, length[:1]); err != nil {
		return nil, nil, fmt.Errorf("wait for message: %w", noEOF(err))
	}
	n := int(length[0])
	if n >= 0x80 {
		if _, err := io.ReadFull(c.stream, length[1:]); err != nil {
			return nil, nil, fmt.Errorf("wait for message: %w", noEOF(err))
		}
		n = n&0x7f | int(length[1])<<7
	}
	if n == 0 || n > maxMessage {
		return nil, nil, fmt.Errorf("%w: a message of %d bytes, 1 to %d allowed", ErrProtocol, n, maxMessage)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.stream, body); err != nil {
		return nil, nil, fmt.Errorf("read message: %w", noEOF(err))
	}
	m, err := decodeMessage(body)
	return m, body, err
}

func decodeMessage(body []byte) (*wirepb.PairMessage, error) {
	var m wirepb.PairMessage
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	switch b := m.GetBody().(type) {
	case nil:
		return nil, fmt.Errorf("%w: a message that says nothing", ErrProtocol)
	case *wirepb.PairMessage_Refusal:
		return nil, &refusal{reasonToError(b.Refusal.GetReason())}
	}
	return &m, nil
}

// receiveHello reads the other side's hello, of at least version 1.
func (c *conversation) receiveHello() (*wirepb.PairHello, []byte, error) {
	m, body, err := c.receive()
	if err != nil {
		return nil, nil, err
	}
	h := m.GetHello()
	if h == nil {
		return nil, nil, fmt.Errorf("%w: want a hello", ErrProtocol)
	}
	if h.GetVersion() == 0 {
		return nil, nil, fmt.Errorf("%w: version 0", ErrVersion)
	}
	return h, body, nil
}

// receiveShare reads a share of the given size.
func (c *conversation) receiveShare(size int) (share, body []byte, err error) {
	m, body, err := c.receive()
	if err != nil {
		return nil, nil, err
	}
	if len(m.GetShare()) != size {
		return nil, nil, fmt.Errorf("%w: want a share of %d bytes", ErrProtocol, size)
	}
	return m.GetShare(), body, nil
}

// sendConfirm proves to the other side that this one has the session.
func (c *conversation) sendConfirm() error {
	mac, err := c.session.confirmation(c.role)
	if err != nil {
		return err
	}
	_, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Confirm{Confirm: mac}})
	return err
}

// receiveConfirm demands that proof of the other side. It wraps [ErrWrongCode]
// if the proof does not hold.
func (c *conversation) receiveConfirm() error {
	m, _, err := c.receive()
	if err != nil {
		return err
	}
	if len(m.GetConfirm()) != keySize {
		return fmt.Errorf("%w: want a confirmation of %d bytes", ErrProtocol, keySize)
	}
	ok, err := c.session.confirms(c.role.other(), m.GetConfirm())
	if err != nil {
		return err
	}
	if !ok {
		return ErrWrongCode
	}
	return nil
}

// sendCard tells the other side this device's name, sealed.
func (c *conversation) sendCard() error {
	plain, err := proto.Marshal(&wirepb.PairCard{Name: c.self.Name})
	if err != nil {
		return fmt.Errorf("encode card: %w", err)
	}
	sealed, err := c.session.seal(c.role, plain)
	if err != nil {
		return fmt.Errorf("seal card: %w", err)
	}
	_, err = c.send(&wirepb.PairMessage{Body: &wirepb.PairMessage_Sealed{Sealed: sealed}})
	return err
}

// receiveCard reads the other side's and so completes the peer.
func (c *conversation) receiveCard() (Peer, error) {
	m, _, err := c.receive()
	if err != nil {
		return Peer{}, err
	}
	if len(m.GetSealed()) > maxSealed {
		return Peer{}, fmt.Errorf("%w: a card of %d bytes, %d allowed", ErrProtocol, len(m.GetSealed()), maxSealed)
	}
	plain, err := c.session.open(c.role.other(), m.GetSealed())
	if err != nil {
		return Peer{}, err
	}
	name, err := decodeCard(plain)
	if err != nil {
		return Peer{}, err
	}
	check, err := c.session.checkWords()
	if err != nil {
		return Peer{}, err
	}
	return Peer{ID: c.remote, Name: name, Check: check}, nil
}

func decodeCard(plain []byte) (string, error) {
	var card wirepb.PairCard
	if err := proto.Unmarshal(plain, &card); err != nil {
		return "", fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if err := CheckName(card.GetName()); err != nil {
		return "", fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return card.GetName(), nil
}

// noEOF turns the end of a stream into what it is here: too early.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
