package storytest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captureVariable is set for a process that is to capture a wire: it names the
// file for what it sees. Such a process is made of the tests' own program,
// because what captures must run within the namespace.
const captureVariable = "STORY_CAPTURE"

// capturing is a process that captures all that crosses a cable.
type capturing struct {
	t    *testing.T
	end  func() seen
	file string
}

// seen is all that has crossed a cable.
type seen struct {
	payload []byte // of all packets, one after the other
}

// capture begins to capture what crosses the cable at the namespace's end. It
// checks first that it really sees what crosses.
func capture(t *testing.T, n *namespace) *capturing {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &capturing{t: t, file: filepath.Join(t.TempDir(), "wire")}
	p := n.command(self)
	p.Env = append(p.Env, captureVariable+"="+c.file)
	stop, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	p.Stderr = &errs
	endWithUs(p)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		_ = p.Wait()
		t.Fatalf("capture: %v\n%s", err, errs.Bytes())
	}
	canary := rand.Text()
	n.shout(t, canary)
	c.end = func() seen {
		t.Helper()
		_ = stop.Close()
		if err := p.Wait(); err != nil {
			t.Fatalf("capture: %v\n%s", err, errs.Bytes())
		}
		payload, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		s := seen{payload}
		if s.find(canary) == "" {
			t.Fatal("the capture does not see what crosses the wire")
		}
		return s
	}
	return c
}

// shout sends a packet in the clear to the other end of the cable.
func (n *namespace) shout(t *testing.T, text string) {
	t.Helper()
	if out, err := n.command("bash", "-c", "printf %s "+text+" > /dev/udp/"+n.other()+"/9").CombinedOutput(); err != nil {
		t.Fatalf("send a packet: %v: %s", err, out)
	}
}

// other is the address at the other end of the cable.
func (n *namespace) other() string {
	if strings.HasSuffix(n.address, ".1") {
		return "10.77.0.2"
	}
	return "10.77.0.1"
}

// find tells in which form a text crossed the cable, if it did.
func (s seen) find(text string) string {
	wide := strings.Join(strings.Split(text, ""), "\x00")
	for form, needle := range map[string]string{
		"as it is": text, "as UTF-16": wide, "in hexadecimal": hex.EncodeToString([]byte(text)),
		"in base64": base64.RawStdEncoding.EncodeToString([]byte(text[:len(text)/3*3])),
	} {
		if i := bytes.Index(s.payload, []byte(needle)); i >= 0 {
			return fmt.Sprintf("%s, at byte %d of what was captured", form, i)
		}
	}
	return ""
}
