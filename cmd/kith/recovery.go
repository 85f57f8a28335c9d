package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) recoveryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recovery",
		Short: "Words that bring everything back when all devices are lost but a backup",
		Long: "Make, test and use recovery words: 24 words that open every folder when all devices that\n" +
			"could read them are lost, and one backup is left, which cannot read anything.",
		Example: "  kith recovery create\n  kith recovery test",
		Args:    cobra.NoArgs,
	}
	cmd.AddCommand(a.recoveryCreateCommand(), a.recoveryTestCommand(), a.recoveryRestoreCommand())
	return cmd
}

func (a *app) recoveryTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Tell what the recovery words would open",
		Long: "Tell whether the words are those in effect, and which folders they would open, without\n" +
			"using them.\n\n" + phraseHelp + "\n\nThe exit code is 3 if they would not open every folder.",
		Example: "  kith recovery test\n  kith recovery test < words.txt",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			words, err := a.phrase(ctx)
			if err != nil {
				return err
			}
			s, err := c.TestRecovery(ctx, words)
			if err != nil {
				return err
			}
			return a.showRecoveryState(s, "The words are those in effect")
		}),
	}
}

type recoveryStateView struct {
	Created *time.Time           `json:"created"`
	Matches bool                 `json:"matches"`
	Asked   *bool                `json:"asked,omitempty"` // by create: whether the person was asked for words
	Words   []string             `json:"words,omitempty"` // by create --yes
	Folders []recoveryFolderView `json:"folders"`
}

type recoveryFolderView struct {
	Folder  string       `json:"folder"`
	Label   string       `json:"label"`
	Covered bool         `json:"covered"`
	Epochs  int          `json:"epochs"`
	At      []deviceView `json:"at"`
}

func viewRecoveryState(s control.RecoveryState) recoveryStateView {
	return recoveryStateView{Created: viewTime(s.Created), Matches: s.Matches, Folders: views(s.Folders, func(f control.RecoveryFolder) recoveryFolderView {
		return recoveryFolderView{f.Folder.ID.String(), f.Folder.Label, f.Covered, f.Epochs, views(f.At, viewDevice)}
	})}
}

// showRecoveryState shows what words open. It is attention if that is not all.
func (a *app) showRecoveryState(s control.RecoveryState, good string) error {
	if err := a.show(viewRecoveryState(s), func(w io.Writer) error { return a.recoveryLines(w, s, good) }); err != nil {
		return err
	}
	return uncovered(s)
}

func uncovered(s control.RecoveryState) error {
	if !s.Matches {
		return errAttention
	}
	for _, f := range s.Folders {
		if !f.Covered {
			return errAttention
		}
	}
	return nil
}

func (a *app) recoveryLines(w io.Writer, s control.RecoveryState, matching string) error {
	text := matching
	switch {
	case s.Created.IsZero():
		text = "No recovery words are in effect here: kith recovery create makes them"
	case !s.Matches:
		text = "These are not the words in effect, which were made " + stamp(s.Created, now())
	default:
		text += ", made " + stamp(s.Created, now())
	}
	if err := say(w, "%s.\n", text); err != nil {
		return err
	}
	var t table
	for _, f := range s.Folders {
		verdict := cell{text: "opens", style: good}
		if !f.Covered {
			verdict = cell{text: "does not open", style: bad}
		}
		where := "kept by no other device"
		if len(f.At) > 0 {
			where = "kept by " + names(f.At)
		}
		t.row(cell{text: f.Folder.Label, style: bold}, verdict, where)
	}
	return t.write(w, a.outTerminal)
}

// labelsOf lists folders for people.
func labelsOf(folders []control.Folder) string {
	return strings.Join(views(folders, func(f control.Folder) string { return f.Label }), ", ")
}
