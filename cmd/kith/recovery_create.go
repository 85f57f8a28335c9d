package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// The alternate screen of a terminal: what was shown there is gone afterwards,
// from what can be scrolled back to as well.
const (
	screenOn    = "\x1b[?1049h\x1b[2J\x1b[H"
	screenClear = "\x1b[2J\x1b[3J\x1b[H"
	screenOff   = "\x1b[2J\x1b[?1049l"
)

func (a *app) recoveryCreateCommand() *cobra.Command {
	confirm, yes := "", false
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make recovery words, in place of earlier ones",
		Long: "Make 24 words that open every folder of this device. They are shown once: write them on\n" +
			"paper, and keep that where neither fire nor a thief takes it together with your devices.\n" +
			"Then three of them are asked for. Earlier words open nothing new from then on.\n\n" +
			"Without a terminal, or with --json, the words are printed with the ID of a draft and the\n" +
			"numbers of the words to give back, and the exit code is 3, since they have no effect yet;\n" +
			"--confirm DRAFT, with those words as arguments or on standard input, puts them into\n" +
			"effect. A draft is forgotten after a wrong word, and after an hour.",
		Example: "  kith recovery create\n  kith recovery create --json\n  kith recovery create --confirm 5f0c abandon river zoo",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && confirm == "" {
				return usagef(cmd, "words go with --confirm DRAFT")
			}
			if confirm != "" && yes {
				return usagef(cmd, "give either --confirm or --yes")
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error {
				if confirm != "" {
					return a.confirmRecovery(ctx, c, confirm, args)
				}
				return a.createRecovery(ctx, c, yes)
			})(cmd, args)
		},
		ValidArgsFunction: noCompletion,
	}
	cmd.Flags().StringVar(&confirm, "confirm", "", "put the words of `DRAFT` into effect")
	cmd.Flags().BoolVar(&yes, "yes", false, "put them into effect at once, and ask for none of them")
	return cmd
}

// errNotConfirmed is the end of what is typed before the words were given back.
var errNotConfirmed = errors.New("the words have no effect: they were not given back")

const wordsInEffect = "The words are in effect"

func (a *app) confirmRecovery(ctx context.Context, c *control.Client, draft string, answers []string) error {
	if len(answers) == 0 {
		text, err := a.readSecret(ctx, "The words that were asked for: ")
		if err != nil {
			return err
		}
		answers = strings.Fields(text)
	}
	s, err := c.ConfirmRecovery(ctx, draft, views(answers, plainWord))
	if err != nil {
		return draftGone(err)
	}
	return a.showRecoveryState(s, wordsInEffect)
}

// plainWord is a word as the device has it.
func plainWord(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func draftGone(err error) error {
	if errors.Is(err, control.ErrInvalid) {
		return control.WithHint(err, "these words have no effect; kith recovery create makes others")
	}
	return err
}

func (a *app) createRecovery(ctx context.Context, c *control.Client, yes bool) error {
	d, err := c.DraftRecovery(ctx)
	if err != nil {
		return err
	}
	answers, err := answersOf(d)
	switch {
	case err != nil:
		return err
	case yes:
		return a.takeUnasked(ctx, c, d, answers)
	case a.json || !a.inTerminal || !a.outTerminal.is():
		return a.showDraft(d)
	}
	if err := a.askForWords(ctx, d, answers); err != nil {
		return err
	}
	s, err := c.ConfirmRecovery(ctx, d.ID, answers)
	if err != nil {
		return draftGone(err)
	}
	return a.showRecoveryState(s, wordsInEffect)
}

// answersOf are the words of a draft that are to be asked for.
func answersOf(d control.RecoveryDraft) ([]string, error) {
	var out []string
	for _, n := range d.Ask {
		if n < 1 || n > len(d.Words) {
			return nil, fmt.Errorf("make recovery words: the device asks for word %d of %d", n, len(d.Words))
		}
		out = append(out, d.Words[n-1])
	}
	return out, nil
}

func (a *app) takeUnasked(ctx context.Context, c *control.Client, d control.RecoveryDraft, answers []string) error {
	s, err := c.ConfirmRecovery(ctx, d.ID, answers)
	if err != nil {
		return draftGone(err)
	}
	v := viewRecoveryState(s)
	v.Words, v.Asked = d.Words, new(false)
	err = a.show(v, func(w io.Writer) error {
		if err := writeWords(w, d.Words); err != nil {
			return err
		}
		if err := say(w, "Nobody was asked whether they are written down: this is the only time that they are shown.\n"); err != nil {
			return err
		}
		return a.recoveryLines(w, s, wordsInEffect)
	})
	if err != nil {
		return err
	}
	return uncovered(s)
}

type draftView struct {
	Words []string `json:"words"`
	Ask   []int    `json:"ask"`
	Draft string   `json:"draft"`
}

// showDraft leaves it to a script to show that the words were kept.
func (a *app) showDraft(d control.RecoveryDraft) error {
	err := a.show(draftView{d.Words, d.Ask, d.ID}, func(w io.Writer) error {
		if err := writeWords(w, d.Words); err != nil {
			return err
		}
		wanted := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(d.Ask)), ", "), "[]")
		return say(w, "They have no effect yet. Give back the words %s: kith recovery create --confirm %s WORD WORD WORD\n", wanted, d.ID)
	})
	if err != nil {
		return err
	}
	return errAttention
}

// askForWords shows the words where they leave no trace, and asks for some of
// them until they are right.
func (a *app) askForWords(ctx context.Context, d control.RecoveryDraft, answers []string) (err error) {
	if _, err := io.WriteString(a.out, screenOn); err != nil {
		return err
	}
	defer func() {
		if _, werr := io.WriteString(a.out, screenOff); err == nil {
			err = werr
		}
	}()
	for {
		if err := a.showWords(ctx, d.Words); err != nil {
			return err
		}
		right, err := a.knowsWords(ctx, d.Ask, answers)
		if err != nil || right {
			return err
		}
	}
}

func (a *app) showWords(ctx context.Context, words []string) error {
	if err := say(a.out, "These words open all your folders. Write them down, on paper.\n\n"); err != nil {
		return err
	}
	if err := writeWords(a.out, words); err != nil {
		return err
	}
	if _, err := a.readLine(ctx, "\nThey are not shown again. Press Enter when they are written down. "); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, screenClear)
	return err
}

// knowsWords asks for each word, and is false after the first that is wrong:
// then what was written down is to be looked at again.
func (a *app) knowsWords(ctx context.Context, ask []int, answers []string) (bool, error) {
	for i, n := range ask {
		line, err := a.readLine(ctx, fmt.Sprintf("Word %d: ", n))
		if err != nil {
			return false, err
		}
		if plainWord(line) == answers[i] {
			continue
		}
		if line == "" {
			return false, errNotConfirmed
		}
		if _, err := io.WriteString(a.out, screenClear); err != nil {
			return false, err
		}
		return false, say(a.out, "That is not word %v. Compare what you wrote with the words once more.\n\n", n)
	}
	return true, nil
}

// writeWords writes numbered words in four columns, to be read downwards.
func writeWords(w io.Writer, words []string) error {
	const columns = 4
	rows := (len(words) + columns - 1) / columns
	var t table
	for r := range rows {
		var row []any
		for i := r; i < len(words); i += rows {
			row = append(row, fmt.Sprintf("%2d  %-10s", i+1, words[i]))
		}
		t.row(row...)
	}
	return t.write(w, terminal{})
}
