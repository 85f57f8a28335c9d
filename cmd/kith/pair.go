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
	cmd := &cobra.Command{
		Use:   "pair [CODE|TICKET|-]",
		Short: "Pair with another device: show a code, or use one",
		Long: "Without a code, show one and wait for the other device. With a code, a ticket (what\n" +
			"the QR code holds) or - (to read it from standard input), pair with the device that\n" +
			"shows it. The code can also be given in KITH_CODE, so that no list of processes shows\n" +
			"it. A code is good for ten minutes and for one guess.",
		Example: "  kith pair --share Documents --share Photos\n" +
			"  kith pair 48-acid-bonnet-lunchbox\n" +
			"  kith pair 48-acid-bonnet-lunchbox --at /ip4/192.168.1.5/tcp/22000",
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
				return a.showCode(cmd, shares)
			}
			if len(shares) > 0 {
				return usagef(cmd, "--share goes with showing a code, and there is one to use (an argument, or KITH_CODE)")
			}
			return a.useCode(cmd, code, at)
		},
	}
	cmd.Flags().StringArrayVar(&shares, "share", nil, "offer `FOLDER[=ROLE]` to the device that pairs (repeatable)")
	cmd.Flags().StringArrayVar(&at, "at", nil, "where the other device is, as a `MULTIADDR` (repeatable)")
	return cmd
}

func (a *app) showCode(cmd *cobra.Command, shares []string) error {
	r := control.ShowCodeRequest{}
	for _, s := range shares {
		o, err := parseOffering(s)
		if err != nil {
			return usagef(cmd, "--share %s: %w", s, err)
		}
		r.Shares = append(r.Shares, o)
	}
	return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
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
}

func (a *app) showInvitation(i control.Invitation) error {
	return a.show(codeView{"code", i.Code, i.Ticket, i.Expires.UTC()}, func(w io.Writer) error {
		t := now()
		if err := say(w, "On the other device: kith pair %s\n", i.Code); err != nil {
			return err
		}
		if a.outTerminal.is() {
			// A QR code that does not fit is of no use; the code is.
			if picture, err := qrCode(i.Ticket, a.outTerminal); err == nil {
				if _, err := fmt.Fprintf(w, "\n%s\n", picture); err != nil {
					return err
				}
			}
		}
		if i.Ticket != "" {
			if err := say(w, "Or, from further away: kith pair %s\n", quoted(i.Ticket)); err != nil {
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

func (a *app) useCode(cmd *cobra.Command, code string, at []string) error {
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
		p, err := c.UseCode(ctx, control.UseCodeRequest{Code: code, At: at})
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
