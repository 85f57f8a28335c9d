package discovery

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
)

// punchSize bounds what one side reads of the other.
const punchSize = 4 << 10

func sendAddrs(w io.Writer, addrs []ma.Multiaddr) error {
	_, err := io.WriteString(w, strings.Join(append(texts(addrs), "\n"), "\n"))
	return err
}

// readAddrs reads addresses up to an empty line, and leaves out what
// is none.
func readAddrs(in *bufio.Reader) ([]ma.Multiaddr, error) {
	var out []ma.Multiaddr
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return out, nil
		}
		if a, err := parseAddr(line, ""); err == nil && len(out) < maxPunched {
			out = append(out, a)
		}
	}
}

// say says a word and waits until it comes back.
func say(w io.Writer, in *bufio.Reader, word string) error {
	if _, err := io.WriteString(w, word); err != nil {
		return err
	}
	back, err := in.ReadString('\n')
	if err == nil && back != word {
		err = fmt.Errorf("it said %q", back)
	}
	return err
}
