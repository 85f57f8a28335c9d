package ignore

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// The full comparison takes about half a minute:
//
//	go test ./node/tree/ignore -run Git -gitsets 3000
var (
	gitSets = flag.Int("gitsets", 200, "sets of rules to compare with git")
	gitSeed = flag.Uint64("gitseed", 1, "first seed of those sets")
)

// trial is one generated set of rules with the paths to judge.
type trial struct {
	files map[entry.Path]string // directory -> text
	dirs  []entry.Path
	paths []entry.Path // all, directories included
}

func TestGitJudgesEveryPathTheSame(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	top := t.TempDir()
	run(t, exec.Command(git, "-C", top, "-c", "init.defaultBranch=main", "init", "-q"))
	trials := make([]trial, *gitSets)
	var input bytes.Buffer
	for i := range trials {
		trials[i] = newTrial(rand.New(rand.NewPCG(*gitSeed+uint64(i), 0)))
		trials[i].write(t, filepath.Join(top, strconv.Itoa(i)))
		for _, p := range trials[i].paths {
			fmt.Fprintf(&input, "%d/%s\x00", i, p)
		}
	}
	cmd := exec.Command(git, "-C", top, "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false",
		"check-ignore", "--no-index", "-v", "-n", "-z", "--stdin")
	cmd.Stdin = &input
	answers := strings.Split(string(run(t, cmd)), "\x00")
	wrong, ignored, total := 0, 0, 0
	for i, tr := range trials {
		for _, p := range tr.paths {
			source, line, text := answers[0], answers[1], answers[2]
			if answers[3] != fmt.Sprintf("%d/%s", i, p) {
				t.Fatalf("git answered for %q, not for %d/%s", answers[3], i, p)
			}
			answers = answers[4:]
			total++
			ours, rule := tr.judge(p)
			want := Rule{Pattern: text}
			if line != "" {
				want.Line, _ = strconv.Atoi(line)
				want.Source = strings.TrimPrefix(source, strconv.Itoa(i)+"/")
			}
			theirs := source != "" && !strings.HasPrefix(text, "!")
			if theirs {
				ignored++
			}
			if ours != theirs || rule != want {
				if wrong++; wrong <= 10 {
					t.Errorf("set %d, %q: ignored %v by %+v; git says %v by %+v\nrules: %q",
						*gitSeed+uint64(i), p, ours, rule, theirs, want, tr.files)
				}
			}
		}
	}
	t.Logf("%d paths in %d sets, %d ignored, %d judged otherwise than by git", total, len(trials), ignored, wrong)
}

func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 && stderr.Len() == 0 {
		return out // check-ignore found nothing to ignore
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.Bytes())
	}
	return out
}

func (tr *trial) judge(p entry.Path) (bool, Rule) {
	load := func(dir entry.Path) *Rules {
		text, ok := tr.files[dir]
		if !ok {
			return nil
		}
		return Parse(dir, string(dir.Join(".gitignore")), []byte(text))
	}
	isDir := false
	for _, d := range tr.dirs {
		isDir = isDir || d == p
	}
	return (*Set)(nil).With(load("")).Find(p, isDir, load)
}

// write puts the directories and rules below top. Files need not exist: git
// takes what does not for a file.
func (tr *trial) write(t *testing.T, top string) {
	t.Helper()
	for _, d := range append([]entry.Path{""}, tr.dirs...) {
		if err := os.MkdirAll(filepath.Join(top, string(d)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for d, text := range tr.files {
		if err := os.WriteFile(filepath.Join(top, string(d), ".gitignore"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The alphabets are small, so that patterns and paths meet often.
var (
	names  = []string{"a", "b", "c", "ab", "ba", "abc", "a.c", "x.o", "b.o", "foo", "foobar", "bar", "a b", "a ", "!a", "#a", "[a]", "a]", `a\b`, "*", "?", "-", "a-c", "é", "\xff", "\tq", "B", "0", "..."}
	pieces = []string{
		"a", "b", "c", "o", "foo", "bar", ".", "*", "*", "*", "**", "***", "?", "/", "/", "/", " ", "\t", "!", "#", "-", "]", "[", "é", "\xff",
		"[a]", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[!]a]", "[a-]", "[-a]", "[a", "[[:alpha:]]", "[[:digit:]b]", "[[:space:]]", "[![:upper:]]", "[[:nope:]]", "[[:alpha]", `[\]a]`, `[a\]`, `[\a-c]`, `[a-\c]`, "[a/b]", "[!-b]",
		`\a`, `\*`, `\?`, `\[`, `\\`, `\ `, `\!`, `\#`, `\/`, `\`,
		"**/", "/**", "/**/", "**/**", "*/", "/*", "a/**", "**/b", "foo**", "**foo", "a/b",
	}
	endings = []string{"\n", "\n", "\n", "\r\n", " \n", "  \r\n", "\\ \n", "/\n", "/\n", "\n\n", "\t\n"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func newTrial(r *rand.Rand) trial {
	tr := trial{files: map[entry.Path]string{}}
	taken := map[entry.Path]bool{}
	holders := []entry.Path{""}
	for len(tr.paths) < 52 {
		p := holders[r.IntN(len(holders))].Join(pick(r, names))
		if taken[p] || strings.Count(string(p), "/") > 4 {
			continue
		}
		taken[p] = true
		tr.paths = append(tr.paths, p)
		if r.IntN(5) < 2 {
			tr.dirs, holders = append(tr.dirs, p), append(holders, p)
		}
	}
	tr.files[""] = newRules(r)
	for _, d := range tr.dirs {
		if r.IntN(4) == 0 {
			tr.files[d] = newRules(r)
		}
	}
	return tr
}

func newRules(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(20) == 0 {
		b.WriteString("\xef\xbb\xbf")
	}
	for range 1 + r.IntN(8) {
		if r.IntN(3) == 0 {
			b.WriteByte('!')
		}
		if r.IntN(4) == 0 { // close to a real one
			b.WriteString(pick(r, []string{"", "/", "**/", "*/"}) + pick(r, names) + pick(r, []string{"", "*", "/*", "/**", "/**/" + pick(r, names), "?"}))
		} else {
			for range 1 + r.IntN(5) {
				b.WriteString(pick(r, pieces))
			}
		}
		b.WriteString(pick(r, endings))
	}
	if r.IntN(5) == 0 {
		b.WriteString(pick(r, names))
	}
	return b.String()
}
