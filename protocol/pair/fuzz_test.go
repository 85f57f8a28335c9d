package pair

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/kithmesh/kith/proto/wirepb"
)

// script is a stream on which the other side says what it says, whatever it
// is told.
type script struct {
	io.Reader
	said bytes.Buffer
}

func (s *script) Write(b []byte) (int, error) { return s.said.Write(b) }

func seedScripts(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(refusalFrame(f, wirepb.PairReason_PAIR_REASON_BUSY))
	hello := helloFrame(f, &wirepb.PairHello{Version: 1, Secret: 1, Nameplate: 48})
	point := []byte{ // the generator of ristretto255
		0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
		0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
	}
	f.Add(hello)
	f.Add(bytes.Join([][]byte{hello, shareFrame(f, append(make([]byte, 16), point...))}, nil))
	f.Add(bytes.Join([][]byte{hello, shareFrame(f, point), confirmFrame(f, make([]byte, 32))}, nil))
	f.Add(bytes.Join([][]byte{
		hello, shareFrame(f, append(make([]byte, 16), point...)),
		confirmFrame(f, make([]byte, 32)), sealedFrame(f, make([]byte, 24)),
	}, nil))
}

// FuzzShow lets a stranger say anything to a shower: it never pairs, gets at
// most four messages, and spends a code exactly if it got a share.
func FuzzShow(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, said []byte) {
		g, w, _ := openGate(t)
		w.secrets.code.plate = 48
		s := &script{Reader: bytes.NewReader(said)}
		_, err := g.Show(s, laptop, phone.ID, func(Peer) error {
			t.Error("a stranger was stored")
			return nil
		})
		if err == nil {
			t.Error("a stranger has paired")
		}
		share := false
		for frame := readFrame(&s.said); frame != nil; frame = readFrame(&s.said) {
			share = share || messageOf(t, frame).GetShare() != nil
		}
		if share != (len(g.burns) == 1) || share != errors.Is(err, ErrBurnt) {
			t.Errorf("share %v, burns %d, %v", share, len(g.burns), err)
		}
	})
}

// FuzzEnter lets a false shower say anything to an enterer.
func FuzzEnter(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, said []byte) {
		_, w, _ := openGate(t)
		s := &script{Reader: bytes.NewReader(said)}
		if _, err := Enter(s, phone, laptop.ID, w.Code().Secret()); err == nil {
			t.Error("paired with a false shower")
		}
		for frame := readFrame(&s.said); frame != nil; frame = readFrame(&s.said) {
			if messageOf(t, frame).GetSealed() != nil {
				t.Error("a false shower got the name")
			}
		}
	})
}

// FuzzDecodeMessage covers what receive makes of one body.
func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte{})
	f.Add(helloFrame(f, &wirepb.PairHello{Version: 1, Secret: 2, Nameplate: 999_999})[1:])
	f.Add(refusalFrame(f, wirepb.PairReason_PAIR_REASON_WRONG_CODE)[1:])
	f.Add(refusalFrame(f, -1)[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if (m == nil) == (err == nil) {
			t.Errorf("%v, %v", m, err)
		}
	})
}

// FuzzDecodeCard covers what a proven but odd peer may call itself.
func FuzzDecodeCard(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0a\x06laptop"))
	f.Add([]byte("\x0a\x03a\nb"))
	f.Add([]byte("\x0a\x02\xff\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, err := decodeCard(b)
		if err == nil && CheckName(name) != nil {
			t.Errorf("name %q", name)
		}
		if err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("error %v", err)
		}
	})
}
