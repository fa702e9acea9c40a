package config

import (
	"fmt"
	"strings"
)

// DidYouMean is " (did you mean listen?)", or nothing when no known name is near.
// A key that only lost its group is near too: picture_bytes is limits.picture_bytes.
func DidYouMean(name string, known []string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if _, leaf, ok := strings.Cut(k, "."); ok {
			d = min(d, distance(name, leaf))
		}
		if d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
