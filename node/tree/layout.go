package tree

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
)

// What lies in a folder's own directory, [entry.Reserved]:
//
//	.kith/folder   the marker: the folder's ID, and a word to people
//	.kith/tmp/     files being staged, by the name their owner gave them
//	.kith/aside/   what is being displaced or removed, for microseconds
//	.kith/notes/   what to put right after a crash; empty between operations
//
// Only where a folder spans several file systems do temporaries lie elsewhere:
// beside their target, under names that begin with tempPrefix. No listing
// shows such a name, and no path may contain one.
const (
	ownDir     = entry.Reserved
	markerName = "folder"
	tmpDir     = entry.Reserved + "/tmp"
	asideDir   = entry.Reserved + "/aside"
	notesDir   = entry.Reserved + "/notes"
	tempPrefix = entry.Temporary
)

// maxMarker bounds what is read of a marker, in bytes.
const maxMarker = 4096

// foldsCase tells of platforms whose usual file systems take ".KITH" for
// ".kith". Elsewhere kith's own directory is known by its inode.
const foldsCase = runtime.GOOS == "darwin" || runtime.GOOS == "ios" || runtime.GOOS == "windows"

// check refuses whatever must not be touched on behalf of a peer.
func check(p entry.Path) error {
	if strings.HasPrefix(string(p), tempPrefix) || strings.Contains(string(p), "/"+tempPrefix) {
		return ErrReserved
	}
	if _, err := entry.ParsePath(string(p)); err != nil {
		return err
	}
	if foldsCase {
		first, _, _ := strings.Cut(string(p), "/")
		if strings.EqualFold(first, ownDir) {
			return ErrReserved
		}
	}
	return nil
}

// hidden tells of names that no listing of dir shows.
func hidden(dir entry.Path, name string) bool {
	return name[0] == '.' && (dir == "" && name == ownDir || strings.HasPrefix(name, tempPrefix))
}

// stagedName tells whether a caller may give name to a staged file.
func stagedName(name string) bool {
	if name == "" || len(name) > entry.MaxName {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// marker is the text of a marker file.
func marker(id entry.FolderID) []byte {
	return fmt.Appendf(nil, "%s\n\n%s\n", id,
		"This directory is a folder of kith, and this file tells kith which one.\n"+
			"Without it kith takes the folder for missing, and changes nothing.\n"+
			"Do not copy it to another directory.")
}

// parseMarker reads the folder ID from a marker.
func parseMarker(text []byte) (entry.FolderID, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	return entry.ParseFolderID(strings.TrimSpace(line))
}

// fresh is a short name that nothing else has.
func fresh() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// beside is a fresh name for content that was displaced from the name base
// and belongs to the user.
func beside(base string) string {
	suffix := " (kept " + fresh() + ")"
	stem, ext := base, ""
	if i := strings.LastIndexByte(base, '.'); i > 0 && len(base)-i <= 16 {
		stem, ext = base[:i], base[i:]
	}
	return clip(stem, entry.MaxName-len(suffix)-len(ext)) + suffix + ext
}

// clip shortens a name to at most n bytes, and not within a UTF-8 character.
func clip(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for cut := n; cut > n-utf8.UTFMax && cut > 0; cut-- {
		if utf8.RuneStart(name[cut]) {
			return name[:cut]
		}
	}
	return name[:n]
}
