package main

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// percent is a flag that takes a share: 5, 5% or 0.5%.
type percent float64

func (p *percent) String() string { return strconv.FormatFloat(float64(*p), 'g', -1, 64) + "%" }

// Type names the value in help texts.
func (p *percent) Type() string { return "P%" }

// Set reads what was given.
func (p *percent) Set(s string) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%")), 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n > 100 {
		return errors.New("not a share above 0% and up to 100%")
	}
	*p = percent(n)
	return nil
}

func (a *app) verifyCommand() *cobra.Command {
	var sample percent
	accept := false
	cmd := &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Have backups prove that they hold what is here",
		Long: "Have every connected device that keeps a history of a folder prove that it holds the\n" +
			"very bytes of what is here, which does not send them, and compare what it tells of the\n" +
			"folder with what it has told before. The history of this device itself is read and\n" +
			"compared with its checksums.\n\n" +
			"What is wrong stays a problem of the folder until it is mended, or until --accept says\n" +
			"that a person has seen it. The exit code is 3 if something is wrong.",
		Example: "  kith verify Documents\n  kith verify Photos --sample 5%",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r := control.VerifyRequest{Folder: args[0], Percent: float64(sample), Accept: accept}
			return a.prove(ctx, c.Verify, r, "proven")
		}),
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().Var(&sample, "sample", "only such a share of it, chosen by chance; if not given, all")
	cmd.Flags().Lookup("sample").DefValue = ""
	cmd.Flags().BoolVar(&accept, "accept", false, "end the problems that earlier proofs have raised")
	return cmd
}

func (a *app) drillCommand() *cobra.Command {
	var sample percent
	cmd := &cobra.Command{
		Use:   "drill FOLDER",
		Short: "Restore a sample from each backup, and compare it",
		Long: "Fetch a few files, chosen by chance, from each connected device that keeps a history of\n" +
			"a folder, open them, and compare them with what is here. It happens by itself too, and\n" +
			"kith status tells when it was last passed.\n\n" +
			"The exit code is 3 if something is wrong.",
		Example: "  kith drill Documents\n  kith drill Documents --sample 10%",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			return a.prove(ctx, c.Drill, control.VerifyRequest{Folder: args[0], Percent: float64(sample)}, "restored and compared")
		}),
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().Var(&sample, "sample", "such a share of it; if not given, a few files")
	cmd.Flags().Lookup("sample").DefValue = ""
	return cmd
}

// proof is Verify or Drill.
type proof func(context.Context, control.VerifyRequest, func(control.VerifyProgress) error) ([]control.Verified, error)

func (a *app) prove(ctx context.Context, how proof, r control.VerifyRequest, did string) error {
	line := a.progressLine(control.Synced)
	var last control.VerifyProgress
	vaults, err := how(ctx, r, func(p control.VerifyProgress) error {
		if p != last && p.Blocks >= p.TotalBlock {
			line.shown = time.Time{} // that all is done is told at once
		}
		last = p
		return line.show(now(), func() string {
			return p.Device.Name + ": " + count(p.Blocks) + " of " + plural(p.TotalBlock, "block") + " " + did
		})
	})
	if cerr := line.clear(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	v := map[string][]verifiedView{"vaults": views(vaults, viewVerified)}
	if err := a.show(v, func(w io.Writer) error { return a.verifiedLines(w, vaults, did) }); err != nil {
		return err
	}
	for _, v := range vaults {
		if len(v.Problems) > 0 {
			return errAttention
		}
	}
	return nil
}

type verifiedView struct {
	Folder string `json:"folder"`
	Label  string `json:"label"`
	deviceView
	At       *time.Time    `json:"at"`
	Files    int64         `json:"files"`
	Blocks   int64         `json:"blocks"`
	Bytes    int64         `json:"bytes"`
	Mended   int64         `json:"mended"`
	Problems []problemView `json:"problems"`
}

func viewVerified(v control.Verified) verifiedView {
	return verifiedView{
		v.Folder.ID.String(), v.Folder.Label, viewDevice(v.Device), viewTime(v.At), v.Files, v.Blocks, v.Bytes, v.Mended,
		views(v.Problems, viewProblem),
	}
}

func (a *app) verifiedLines(w io.Writer, vaults []control.Verified, did string) error {
	if len(vaults) == 0 {
		return say(w, "No device that keeps a history of it is connected.\n")
	}
	var t table
	for _, v := range vaults {
		verdict := cell{text: "ok", style: good}
		if n := len(v.Problems); n > 0 {
			verdict = cell{text: plural(int64(n), "problem"), style: bad}
		}
		text := plural(v.Files, "file") + ", " + size(v.Bytes) + " " + did
		if v.Mended > 0 {
			text += "; " + plural(v.Mended, "block") + " mended"
		}
		t.row(cell{text: v.Device.Name, style: bold}, verdict, text)
	}
	if err := t.write(w, a.outTerminal); err != nil {
		return err
	}
	for _, v := range vaults {
		if len(v.Problems) == 0 {
			continue
		}
		if err := say(w, "%s:\n", v.Device.Name); err != nil {
			return err
		}
		if err := problemLines(w, v.Problems); err != nil {
			return err
		}
	}
	return nil
}
