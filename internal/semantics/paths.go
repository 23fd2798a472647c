package semantics

import (
	"slices"
	"strings"
)

// pathExamples lists a path for each set of patterns that some path matches,
// as far as the segments that are tried show it, one that none matches, and
// one that is ambiguous. It walks down the segments; of all beginnings that the
// patterns cannot tell apart, it goes on from one.
func pathExamples(list []spoken) []string {
	var patterns [][]string
	for _, s := range list {
		for _, p := range s.Paths {
			patterns = append(patterns, strings.Split(strings.TrimPrefix(p, "/"), "/"))
		}
	}
	patterns = slices.CompactFunc(patterns, slices.Equal[[]string])
	longest := 0
	for _, p := range patterns {
		longest = max(longest, len(p))
	}
	out := []string{"/", "/a/../b"}
	begun := []string{""}
	for depth := range longest + 1 {
		var next []string
		seen := map[string]bool{}
		for _, path := range begun {
			for _, segment := range segmentExamples(patterns, depth) {
				longer := path + "/" + segment
				out = append(out, longer)
				if key := alive(patterns, longer); segment != "" && !seen[key] {
					seen[key] = true
					next = append(next, longer)
				}
			}
		}
		begun = next
	}
	return notAmbiguous(out)
}

// notAmbiguous keeps one ambiguous path, the one that was put in for it.
func notAmbiguous(paths []string) []string {
	found := false
	return slices.DeleteFunc(paths, func(p string) bool {
		if !ambiguous(p) {
			return false
		}
		again := found
		found = true
		return again
	})
}

// alive writes down which patterns a longer path may still match, and which
// the path matches as it is.
func alive(patterns [][]string, path string) string {
	segments := strings.Split(path[1:], "/")
	key := make([]byte, 0, 2*len(patterns))
	for _, p := range patterns {
		now, later := byte('-'), byte('-')
		if segmentsMatch(p, segments) {
			now = '+'
		}
		switch {
		case now == '+' && p[len(p)-1] == "*":
			later = '+' // it takes in whatever follows
		case len(p) > len(segments) && segmentsMatch(p[:len(segments)], segments):
			later = '+'
		}
		key = append(key, now, later)
	}
	return string(key)
}

// segmentExamples fills the patterns' segments at a depth: each "*" in it with
// nothing, with a word, and with the pieces between the stars of the others.
func segmentExamples(patterns [][]string, depth int) []string {
	var segments, pieces []string
	for _, p := range patterns {
		if depth >= len(p) {
			continue
		}
		s := p[depth]
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
			s = "*"
		}
		segments = append(segments, s)
		pieces = append(pieces, strings.Split(s, "*")...)
	}
	word := other("other", pieces)
	fillings := distinct(append(pieces, "", word))
	out := []string{"", word}
	for _, s := range distinct(segments) {
		out = append(out, fill(strings.Split(s, "*"), fillings, tooMany(s, fillings))...)
	}
	return distinct(out)
}

// tooMany reports whether a segment has too many stars to fill each by itself.
func tooMany(segment string, fillings []string) bool {
	stars := strings.Count(segment, "*")
	return stars > 2 || stars == 2 && len(fillings) > 50
}

// fill puts a filling between each two pieces: every combination, or, if that
// would be too many, the same filling everywhere.
func fill(pieces, fillings []string, alike bool) []string {
	if len(pieces) == 1 {
		return pieces
	}
	var out []string
	for _, f := range fillings {
		if alike {
			out = append(out, strings.Join(pieces, f))
			continue
		}
		for _, rest := range fill(pieces[1:], fillings, false) {
			out = append(out, pieces[0]+f+rest)
		}
	}
	return out
}
