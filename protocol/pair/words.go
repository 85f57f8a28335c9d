package pair

import (
	"slices"
	"strings"
	"sync"

	"github.com/sethvargo/go-diceware/diceware"
)

const (
	listSize = 6 * 6 * 6 * 6 // words in the list: four rolls of a die
	prefix   = 3             // letters that tell each word from all others
)

// wordList is the EFF's short word list 2.0 in the order of the alphabet. Its
// one hyphen ("yo-yo") is left out, since codes are joined by hyphens.
//
// Source: Bonneau, "EFF's New Wordlists for Random Passphrases" (2016).
var wordList = sync.OnceValue(func() *[listSize]string {
	source := diceware.WordListEffSmall()
	var list [listSize]string
	for i := range list {
		roll, unit := 0, 1
		for rest := i; unit < 10_000; rest, unit = rest/6, unit*10 {
			roll += (rest%6 + 1) * unit
		}
		list[i] = strings.ReplaceAll(source.WordAt(roll), "-", "")
	}
	slices.Sort(list[:])
	return &list
})

// findWord is the index of the one word that is s or begins with it. A
// beginning takes at least three letters.
func findWord(s string) (int, bool) {
	list := wordList()
	i, exact := slices.BinarySearch(list[:], s)
	if exact {
		return i, true
	}
	if len(s) < prefix || i == listSize || !strings.HasPrefix(list[i], s) {
		return 0, false
	}
	return i, true
}

// nearestWord is the word that takes the fewest edits to make of s; of several
// the first that begins as s does, or else the first.
func nearestWord(s string) string {
	best, least := "", 1<<30
	for _, w := range wordList() {
		d := 2 * distance(s, w)
		if s == "" || w[0] != s[0] {
			d++
		}
		if d < least {
			best, least = w, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace to make b of a.
//
// Source: Wagner and Fischer, "The String-to-String Correction Problem" (1974).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
