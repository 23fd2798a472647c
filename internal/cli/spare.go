package cli

import "slices"

// spareVerbs end soon and allocate much.
var spareVerbs = []string{"render", "prove", "drift", "adopt"}

// SpareMemory is how many bytes the process of a command line does well to hold
// and never touch, which costs no memory: garbage is collected when the heap has
// doubled, and so not before there is as much as this of it. For an estate of
// 10,000 workloads on all targets it saved a fifth of the processor's time; a
// higher GOGC saves no more and takes half as much memory again. 0 for verbs that
// run on or have to be small.
func SpareMemory(args []string) int {
	for _, word := range args {
		if word != "" && word[0] != '-' {
			if slices.Contains(spareVerbs, word) {
				return 128 << 20
			}
			return 0
		}
	}
	return 0
}
