package tree

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/tree/names"
)

// fileSystem is one that makes something of names, mounted for a test.
type fileSystem struct {
	name   string
	make   []string // a command that makes one in the file IMAGE, if it needs one
	mount  []string // a command that mounts it at AT
	after  []string // a command that makes directory ROOT in it one that folds
	traits names.Traits
	but    []string // names about which its traits are wrong
}

// onFAT is what FAT and exFAT forbid to all.
const onFAT = `"*:<>?\|` + controls

var fileSystems = []fileSystem{
	{
		name:  "fat",
		make:  []string{"mkfs.vfat", "IMAGE"},
		mount: []string{"mount", "-t", "vfat", "-o", "loop,utf8", "IMAGE", "AT"},
		traits: names.Traits{
			FoldsCase: true, LastCased: 0x7F, WellFormed: true, Forbids: onFAT, Ends: ". ",
		},
		but: []string{"été"}, // short enough to be found by its name in the style of DOS, too, which folds more
	},
	{
		name:  "fat with names in latin 1",
		make:  []string{"mkfs.vfat", "IMAGE"},
		mount: []string{"mount", "-t", "vfat", "-o", "loop,utf8=0,iocharset=iso8859-1", "IMAGE", "AT"},
		traits: names.Traits{
			FoldsCase: true, LastCased: 0x7F, Forbids: onFAT, Ends: ". ",
		},
	},
	{
		name:  "fat with names in ascii",
		make:  []string{"mkfs.vfat", "IMAGE"},
		mount: []string{"mount", "-t", "vfat", "-o", "loop,utf8=0,iocharset=ascii", "IMAGE", "AT"},
		traits: names.Traits{
			FoldsCase: true, WellFormed: true, MaxRune: 0x7F, Forbids: onFAT, Ends: ". ",
		},
	},
	{
		name:  "exfat",
		make:  []string{"mkfs.exfat", "IMAGE"},
		mount: []string{"mount", "-i", "-t", "exfat", "-o", "loop", "IMAGE", "AT"},
		traits: names.Traits{
			FoldsCase: true, LastCased: 0xFFFF, WellFormed: true, Forbids: onFAT, Ends: ".",
		},
		but: []string{"300\u212a"},
	},
	{
		name:  "exfat by fuse",
		make:  []string{"mkfs.exfat", "IMAGE"},
		mount: []string{"mount", "-t", "exfat-fuse", "-o", "loop", "IMAGE", "AT"},
		traits: names.Traits{
			FoldsCase: true, LastCased: 0xFFFF, WellFormed: true, Forbids: onFAT,
		},
		but: []string{"300\u212a"},
	},
	{
		name:   "ext4 with casefold",
		make:   []string{"mkfs.ext4", "-q", "-O", "casefold", "IMAGE"},
		mount:  []string{"mount", "-t", "ext4", "-o", "loop", "IMAGE", "AT"},
		after:  []string{"chattr", "+F", "ROOT"},
		traits: names.Traits{FoldsCase: true, Expands: true, FoldsForm: true, Ignores: true},
	},
	{
		name:   "tmpfs with casefold",
		mount:  []string{"mount", "-t", "tmpfs", "-o", "casefold=utf8-12.1.0", "tmpfs", "AT"},
		after:  []string{"chattr", "+F", "ROOT"},
		traits: names.Traits{FoldsCase: true, Expands: true, FoldsForm: true, Ignores: true},
	},
	{
		name:   "ntfs",
		make:   []string{"mkfs.ntfs", "-q", "-F", "-f", "IMAGE"},
		mount:  []string{"ntfs-3g", "IMAGE", "AT"},
		traits: names.Traits{WellFormed: true},
	},
	{
		name:   "ntfs with windows' rules",
		make:   []string{"mkfs.ntfs", "-q", "-F", "-f", "IMAGE"},
		mount:  []string{"lowntfs-3g", "-o", "windows_names,ignore_case", "IMAGE", "AT"},
		traits: names.Traits{FoldsCase: true, LastCased: 0xFFFF, Lowers: true, Windows: true},
		but:    []string{"οδος", "300\u212a", "com¹"},
	},
}

// mounted gives the root of a folder that is to be on f, and skips the test
// where that cannot be had.
func mounted(t *testing.T, f fileSystem) (root string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	dir := t.TempDir()
	at, image := filepath.Join(dir, "at"), filepath.Join(dir, "image")
	must(t, os.Mkdir(at, 0o755))
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 64<<20))
	root = filepath.Join(at, "folder")
	named := strings.NewReplacer("IMAGE", image, "AT", at, "ROOT", root)
	run := func(command []string) {
		if len(command) == 0 {
			return
		}
		var words []string
		for _, word := range command {
			words = append(words, named.Replace(word))
		}
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no %s here: %q: %v: %s", f.name, words, err, out)
		}
	}
	run(f.make)
	run(f.mount)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("unmount: %v: %s", err, out)
		}
	})
	must(t, os.Mkdir(root, 0o755))
	run(f.after)
	return root
}

func TestTraitsOfFileSystemsThatFoldNames(t *testing.T) {
	for _, f := range fileSystems {
		t.Run(f.name, func(t *testing.T) {
			root := mounted(t, f)
			if got := traitsHold(t, root, f.but...); got != f.traits {
				t.Errorf("traits are\n%+v, want\n%+v", got, f.traits)
			}
		})
	}
}
