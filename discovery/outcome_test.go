package discovery

import (
	"fmt"
	"testing"

	"github.com/quic-go/quic-go"
)

// TestWhatQUICLosesOfAnErrorIsReadFromItsWords has the errors that a dial by QUIC
// gives where no packet leaves this machine.
func TestWhatQUICLosesOfAnErrorIsReadFromItsWords(t *testing.T) {
	for message, want := range map[string]Outcome{
		"write udp4 0.0.0.0:5484->203.0.113.7:5484: sendmsg: network is unreachable":     NoRoute,
		"write udp4 0.0.0.0:5484->203.0.113.7:5484: sendmsg: no route to host":           Unreachable,
		"write udp6 [::]:5484->[2001:db8::7]:5484: sendmsg: operation not permitted":     Forbidden,
		"write udp6 [::]:5484->[2001:db8::7]:5484: sendmsg: cannot assign this address?": TimedOut,
	} {
		err := fmt.Errorf("dial: %w", &quic.TransportError{ErrorCode: quic.InternalError, ErrorMessage: message})
		if got, _ := outcomeOf(err); got != want {
			t.Errorf("%q is taken for %s, not %s", message, got, want)
		}
	}
	err := &quic.TransportError{Remote: true, ErrorCode: quic.ConnectionRefused}
	if got, _ := outcomeOf(err); got != NotKith {
		t.Errorf("what the other side says is taken for %s", got)
	}
}
