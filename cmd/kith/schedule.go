package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) scheduleCommand() *cobra.Command {
	var r control.ScheduleRequest
	hook := ""
	cmd := &cobra.Command{
		Use:   "schedule FOLDER [WHEN]",
		Short: "Show or change when this device backs a folder up",
		Long: "Show when this device, as a backup, takes in what is new in a folder, or change it:\n\n" +
			"  continuous         as it comes; the default\n" +
			"  every 6h           so long after the last time\n" +
			"  daily 02:00        each day at a time of day of this machine\n" +
			"  weekly sun 02:00   each week\n" +
			"  monthly 15 02:00   each month on a day; monthly alone is the first, at 02:00\n\n" +
			"A time that was missed is caught up with. --hook has a shell run a command once each\n" +
			"time that the backup gets stale; --hook '' ends that. On a device that has the files\n" +
			"only the hook can be set, which is run there: when a backup is made is set on the backup.",
		Example: "  kith schedule Documents daily 02:00\n  kith schedule Photos every 6h --hook 'mail -s stale me < /dev/null'\n  kith schedule Photos",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Folder, r.When = args[0], strings.Join(args[1:], " ")
			if cmd.Flags().Changed("hook") {
				r.Hook = &hook
			}
			return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
				s, err := c.SetSchedule(ctx, r)
				if err != nil {
					return invalidUsage(cmd, err)
				}
				return a.show(viewSchedule(s), func(w io.Writer) error { return scheduleLines(w, s) })
			})(cmd, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return a.complete(folderNames)
			case 1:
				return []string{"continuous", "every", "daily", "weekly", "monthly"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVar(&hook, "hook", "", "run `CMD` when the backup is stale")
	return cmd
}

type scheduleView struct {
	Folder string     `json:"folder"`
	Label  string     `json:"label"`
	When   string     `json:"when"`
	Hook   string     `json:"hook"`
	Last   *time.Time `json:"last"`
	Next   *time.Time `json:"next"`
}

func viewSchedule(s control.Schedule) scheduleView {
	return scheduleView{s.Folder.ID.String(), s.Folder.Label, continuous(s.When), s.Hook, viewTime(s.Last), viewTime(s.Next)}
}

// continuous is a schedule by its name.
func continuous(when string) string {
	if when == "" {
		return "continuous"
	}
	return when
}

func scheduleLines(w io.Writer, s control.Schedule) error {
	text := s.Folder.Label + ": " + continuous(s.When)
	if s.Last.IsZero() {
		text += "; not complete yet"
	} else {
		text += "; last complete " + stamp(s.Last, now())
	}
	if !s.Next.IsZero() {
		text += "; next " + stamp(s.Next, now())
	}
	if err := say(w, "%s.\n", text); err != nil {
		return err
	}
	if s.Hook == "" {
		return nil
	}
	return say(w, "When it is stale this is run: %s\n", s.Hook)
}
