package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// maxTyped bounds what is read as a code, in bytes.
const maxTyped = 8 << 10

func (a *app) pairCommand() *cobra.Command {
	var shares, at []string
	var anywhere bool
	cmd := &cobra.Command{
		Use:   "pair [CODE|TICKET|-]",
		Short: "Pair with another device: show a code, or use one",
		Long: "Without a code, show one and wait for the other device. With a code, a ticket (what\n" +
			"the QR code holds) or - (to read it from standard input), pair with the device that\n" +
			"shows it. The code can also be given in KITH_CODE, so that no list of processes shows\n" +
			"it. A code is good for ten minutes and for one guess.\n\n" +
			"A short code is found on the local network. With --anywhere the code has a long number,\n" +
			"which is found on a DHT too; that switches discovery on, which a terminal asks about. A\n" +
			"ticket says where the device is, and needs no search. In either case the device that\n" +
			"shows the code has to be reachable: on the same network, at a public address, through a\n" +
			"port that its router lets in, or through a device that both are paired with. If it is\n" +
			"not, show the code on the other one.",
		Example: "  kith pair --share Documents --share Photos\n" +
			"  kith pair 48-acid-bonnet-lunchbox\n" +
			"  kith pair 48-acid-bonnet-lunchbox --at /ip4/192.168.1.5/tcp/22000\n" +
			"  kith pair --anywhere\n" +
			"  kith pair --anywhere 482-913-506-acid-bonnet-lunchbox",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code := a.getenv("KITH_CODE")
			if len(args) > 0 {
				code = args[0]
			}
			if code == "" && len(args) == 0 {
				if len(at) > 0 {
					return usagef(cmd, "--at says where a code is shown, but no code was given")
				}
				return a.showCode(cmd, shares, anywhere)
			}
			if len(shares) > 0 {
				return usagef(cmd, "--share goes with showing a code, and there is one to use (an argument, or KITH_CODE)")
			}
			if anywhere && len(at) > 0 {
				return usagef(cmd, "--at says where the other device is, and --anywhere to look for it")
			}
			return a.useCode(cmd, code, at, anywhere)
		},
	}
	cmd.Flags().StringArrayVar(&shares, "share", nil, "offer `FOLDER[=ROLE]` to the device that pairs (repeatable)")
	cmd.Flags().StringArrayVar(&at, "at", nil, "where the other device is, as a `MULTIADDR` (repeatable)")
	cmd.Flags().BoolVar(&anywhere, "anywhere", false, "be found, or look, beyond the local network too; switches discovery on")
	return cmd
}

func (a *app) showCode(cmd *cobra.Command, shares []string, anywhere bool) error {
	r := control.ShowCodeRequest{Anywhere: anywhere}
	for _, s := range shares {
		o, err := parseOffering(s)
		if err != nil {
			return usagef(cmd, "--share %s: %w", s, err)
		}
		r.Shares = append(r.Shares, o)
	}
	return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
		if anywhere {
			if err := a.widen(ctx, c, ""); err != nil {
				return err
			}
			if a.outTerminal.is() && !a.json {
				if err := say(a.err, "Putting the code's number on the DHT ...\n"); err != nil {
					return err
				}
			}
		}
		p, err := c.ShowCode(ctx, r, a.showInvitation)
		if err != nil {
			return err
		}
		return a.showPaired(p, len(shares) > 0)
	})(cmd, nil)
}

// parseOffering reads FOLDER or FOLDER=ROLE. What follows the last equals sign
// must be a role: a label that holds one needs its role said.
func parseOffering(s string) (control.Offering, error) {
	if i := strings.LastIndexByte(s, '='); i > 0 {
		r, err := entry.ParseRole(s[i+1:])
		if err != nil {
			return control.Offering{}, err
		}
		return control.Offering{Folder: s[:i], Role: r}, nil
	}
	if s == "" {
		return control.Offering{}, errors.New("no folder")
	}
	return control.Offering{Folder: s}, nil
}

type codeView struct {
	Event   string    `json:"event"`
	Code    string    `json:"code"`
	Ticket  string    `json:"ticket"`
	Expires time.Time `json:"expires"`

	Anywhere bool `json:"anywhere,omitempty"` // found beyond the local network too
	Outside  bool `json:"outside,omitempty"`  // the ticket has an address that is not of the local network
}

func (a *app) showInvitation(i control.Invitation) error {
	return a.show(codeView{"code", i.Code, i.Ticket, i.Expires.UTC(), i.Anywhere, i.Outside}, func(w io.Writer) error {
		t := now()
		use := "On the other device: kith pair %s\n"
		if i.Anywhere {
			use = "On the other device, wherever it is: kith pair --anywhere %s\n"
		}
		if err := say(w, use, i.Code); err != nil {
			return err
		}
		if a.outTerminal.is() {
			// A QR code that does not fit is of no use; the code is. In upper case it
			// takes less room (ISO/IEC 18004, alphanumeric mode) and means the same.
			if picture, err := qrCode(strings.ToUpper(i.Ticket), a.outTerminal); err == nil {
				if _, err := fmt.Fprintf(w, "\n%s\n", picture); err != nil {
					return err
				}
			}
		}
		if i.Ticket != "" {
			from := "on this network, where the code is not found"
			if i.Outside {
				from = "from further away"
			}
			if err := say(w, "Or, %s: kith pair %s\n", from, quoted(i.Ticket)); err != nil {
				return err
			}
		}
		return say(w, "It is good for one guess, until %s. Waiting ...\n", clock(i.Expires, t))
	})
}

type pairedView struct {
	Event  string    `json:"event"`
	Device string    `json:"device"`
	Name   string    `json:"name"`
	Check  [4]string `json:"check"`
}

func (a *app) showPaired(p control.Paired, shared bool) error {
	return a.show(pairedView{"paired", string(p.ID), p.Name, p.Check}, func(w io.Writer) error {
		if err := say(w, "Paired with %s (…%s).\nBoth devices show the same four words: %s\n",
			p.Name, p.ID.Short(), strings.Join(p.Check[:], " ")); err != nil {
			return err
		}
		if shared {
			return say(w, "What you share is offered; on %s: kith accept FOLDER PATH\n", p.Name)
		}
		return say(w, "Next: kith share FOLDER %s, or kith offers for what it offers.\n", quoted(p.Name))
	})
}

func (a *app) useCode(cmd *cobra.Command, code string, at []string, anywhere bool) error {
	return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
		if code == "-" {
			typed, err := a.readLine(ctx, "Code: ")
			if err != nil {
				return err
			}
			code = typed
		}
		if code = strings.TrimSpace(code); code == "" {
			return usagef(cmd, "the code is empty")
		}
		if anywhere {
			if err := a.widen(ctx, c, code); err != nil {
				return err
			}
		}
		r := control.UseCodeRequest{Code: code, At: at}
		p, err := c.UseCode(ctx, r)
		if errors.Is(err, control.ErrDiscoveryOff) && a.inTerminal && !a.json {
			if _, err := fmt.Fprintln(a.err, "No device on this network shows this code."); err != nil {
				return err
			}
			if err := a.widen(ctx, c, code); err != nil {
				return err
			}
			p, err = c.UseCode(ctx, r)
		}
		if err != nil {
			return err
		}
		return a.showPaired(p, false)
	})(cmd, nil)
}

// readLine reads one line from standard input, asking for it on a terminal.
// It does not wait for the line once ctx has ended.
func (a *app) readLine(ctx context.Context, prompt string) (string, error) {
	if a.inTerminal {
		if _, err := fmt.Fprint(a.err, prompt); err != nil {
			return "", err
		}
	}
	return untilDone(ctx, func() (string, error) {
		line, err := bufio.NewReader(io.LimitReader(a.in, maxTyped)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
}

// untilDone is what read reads from standard input, or the end of ctx.
func untilDone(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		if got.err != nil {
			return "", fmt.Errorf("read standard input: %w", got.err)
		}
		return got.text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
