package diag

import "strings"

// The longest word that Nearest compares, in bytes, so that a hostile input
// cannot make a suggestion expensive.
const longestWord = 64

// Nearest returns the candidate that word was probably meant to be, or "" if
// none is close: the one with the smallest edit distance (a swap of two
// neighbours counts as one edit), at most a third of the word's length and at
// least one edit. Of several equally close ones it is the first in byte order.
func Nearest(word string, candidates []string) string {
	if word == "" || len(word) > longestWord {
		return ""
	}
	best, bestDistance := "", max(1, len(word)/3)+1
	var rows [3][longestWord + 1]int
	for _, c := range candidates {
		apart := max(len(c)-len(word), len(word)-len(c)) // it takes as many edits at least
		if len(c) > longestWord || c == word || apart > bestDistance {
			continue
		}
		if d := distance(word, c, &rows); d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// Meant is Nearest or, if none is that close, the only candidate that begins
// with word or with which word begins, in at least three bytes: "loadgen" is
// "loadgenerator", "kubernetes" is "kube".
func Meant(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" || len(word) > longestWord {
		return near
	}
	only := ""
	for _, c := range candidates {
		switch {
		case c == word || c == only || min(len(c), len(word)) < 3 || !strings.HasPrefix(c, word) && !strings.HasPrefix(word, c):
		case only != "":
			return ""
		default:
			only = c
		}
	}
	return only
}

// distance is the optimal string alignment distance, over bytes. b may have as
// many bytes as a row has places but one.
func distance(a, b string, rows *[3][longestWord + 1]int) int {
	before, last, row := rows[0][:len(b)+1], rows[1][:len(b)+1], rows[2][:len(b)+1]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
