package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

const bucketHelp = "The keys of a bucket come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and the\n" +
	"region, where it is needed, from AWS_REGION), or are asked for."

func (a *app) storeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "store FOLDER [PLACE]",
		Short: "Show or change where a backup's packs lie",
		Long: "Show where this device, as a backup, has the packs of a folder, or change it:\n\n" +
			"  here                          in the directory of the vault; the default\n" +
			"  s3:https://HOST/BUCKET/PATH   in a bucket that speaks the protocol of Amazon S3\n" +
			"  DIR                           in a directory, such as one on another disk\n\n" +
			"What is new is durable here first, and moves there when there is a pack of it, or\n" +
			"nothing new has come for five minutes; it takes the room of some packs and of the\n" +
			"index here. Nobody who sees the place can read what lies there. Should this device be\n" +
			"lost, kith decrypt opens it with the recovery words alone.\n" + bucketHelp,
		Example: "  kith store Photos\n  kith store Photos s3:https://s3.example.org/photos\n  kith store Photos here",
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r := control.StoreRequest{Folder: args[0]}
			if len(args) > 1 {
				if err := a.place(ctx, args[1], &r); err != nil {
					return err
				}
			}
			s, err := c.SetStore(ctx, r)
			if err != nil {
				return err
			}
			return a.show(viewStored(s), func(w io.Writer) error { return storeLines(w, s) })
		}),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return a.complete(folderNames)
			case 1:
				return []string{"here", "s3:https://"}, cobra.ShellCompDirectiveNoSpace
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// place reads what a person has named.
func (a *app) place(ctx context.Context, text string, r *control.StoreRequest) (err error) {
	switch {
	case text == "here":
		text = ""
	case isBucket(text):
		r.AccessKey, r.SecretKey, r.Region, err = a.bucketKeys(ctx)
	case strings.Contains(text, "://"):
		return &usage{message: "what is " + quoted(text) + "?", hint: "a bucket is named as s3:https://HOST/BUCKET"}
	default:
		text, err = filepath.Abs(text)
	}
	r.URL = &text
	return err
}

func isBucket(text string) bool { return strings.HasPrefix(text, "s3:") }

// bucketKeys are as whom to go to a bucket.
func (a *app) bucketKeys(ctx context.Context) (access, secret, region string, err error) {
	access, secret, region = a.getenv("AWS_ACCESS_KEY_ID"), a.getenv("AWS_SECRET_ACCESS_KEY"), a.getenv("AWS_REGION")
	for _, one := range []struct {
		to     *string
		prompt string
	}{{&access, "Access key: "}, {&secret, "Secret key: "}} {
		if *one.to != "" {
			continue
		}
		if !a.inTerminal || a.secret == nil {
			return "", "", "", &usage{message: "no key of the bucket was given", hint: "put it into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"}
		}
		text, err := a.readSecret(ctx, one.prompt)
		if err != nil {
			return "", "", "", err
		}
		if *one.to = strings.TrimSpace(text); *one.to == "" {
			return "", "", "", errors.New("no key was given")
		}
	}
	return access, secret, region, nil
}

type storedView struct {
	Folder string     `json:"folder"`
	Label  string     `json:"label"`
	Store  *storeView `json:"store"`
}

type storeView struct {
	Where   string     `json:"where"`
	Leaving bool       `json:"leaving"`
	Bytes   int64      `json:"bytes"`
	Waiting int64      `json:"waiting"`
	AsOf    *time.Time `json:"as_of"`
	Failed  string     `json:"failed"`
}

func viewStored(s control.Stored) storedView {
	return storedView{s.Folder.ID.String(), s.Folder.Label, viewStore(s.Store)}
}

func viewStore(s *control.Store) *storeView {
	if s == nil {
		return nil
	}
	return &storeView{s.Where, s.Leaving, s.Bytes, s.Waiting, viewTime(s.AsOf), s.Failed}
}

func storeLines(w io.Writer, s control.Stored) error {
	at := s.Store
	if at == nil {
		return say(w, "%s: its packs lie on this device.\n", s.Folder.Label)
	}
	text := size(at.Bytes) + " there"
	switch {
	case at.Leaving:
		text += ", on the way back"
	case at.Waiting > 0:
		text += ", " + size(at.Waiting) + " still to go"
	}
	if !at.AsOf.IsZero() {
		text += "; all as of " + stamp(at.AsOf, now())
	}
	if err := say(w, "%s: %s\n%s.\n", s.Folder.Label, at.Where, text); err != nil || at.Failed == "" {
		return err
	}
	return say(w, "It does not go on: %s\n", at.Failed)
}
