package wording

import "strings"

// Nearest is the known name that another was probably meant for, or "". A name
// that only lost its group is near (picture_bytes is limits.picture_bytes), and
// so is one that only has a word too many (colour_space is color). Of two that
// are equally near it is the first.
func Nearest(name string, known []string) string {
	const longest = 64 // no known name is; and comparing is our time
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	best, least := "", max(2, len(name)/4)+1
	for _, k := range known {
		if d := apart(name, strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// apart is how many typing errors lie between a name and a known one.
func apart(name, known string) int {
	d := distance(name, known)
	if _, leaf, grouped := strings.Cut(known, "."); grouped {
		d = min(d, distance(name, leaf))
	}
	const tolerated = 1 // in a single word: short words are near to many
	for word := range strings.SplitSeq(name, "_") {
		if w := distance(word, known); w <= tolerated {
			d = min(d, 1+w)
		}
	}
	return d
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
