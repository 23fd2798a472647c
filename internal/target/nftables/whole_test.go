package nftables

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// What is read quickly is what is read with care, whatever was done to a file.
func TestWholeFilesAreReadAsWithCare(t *testing.T) {
	var files [][]byte
	for seed := range uint64(3) {
		for _, data := range rendered(t, wantedText(t, randomPolicy(seed), inventoryText())) {
			files = append(files, data)
		}
	}
	r := rand.New(rand.NewPCG(4, 5))
	quick := 0
	for range 1500 {
		data := slices.Clone(files[r.IntN(len(files))])
		for range r.IntN(3) {
			at := r.IntN(len(data))
			switch r.IntN(4) {
			case 0:
				data = data[:at]
			case 1:
				data[at] = " \n\t{}[]\",:\\a1"[r.IntN(13)]
			case 2:
				data = slices.Insert(data, at, " \n\t{}[]\",:\\a1"[r.IntN(13)])
			case 3:
				data = slices.Delete(data, at, min(len(data), at+1+r.IntN(20)))
			}
			if len(data) == 0 {
				break
			}
		}
		a := &parser{known: map[string]*parsed{}}
		got, whole := a.whole(data)
		if !whole {
			continue
		}
		quick++
		want, err := (&parser{known: map[string]*parsed{}}).carefully(data)
		if err != nil || !slices.EqualFunc(got, want, func(x, y located) bool {
			return x.line == y.line && x.verb == y.verb && x.kind == y.kind && reflect.DeepEqual(x.object, y.object)
		}) {
			t.Fatalf("%q: %d commands, want %d, %v", data, len(got), len(want), err)
		}
	}
	if quick < 300 || quick == 1500 {
		t.Errorf("%d of 1500 were read quickly", quick)
	}
}
