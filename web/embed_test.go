package web

import (
	"io/fs"
	"regexp"
	"testing"
)

func TestDistHoldsThePageAndAllThatItLoads(t *testing.T) {
	index, err := fs.ReadFile(Dist(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	loads := regexp.MustCompile(`(?:src|href)="/([^"]+)"`).FindAllSubmatch(index, -1)
	if len(loads) < 3 {
		t.Fatalf("index.html loads %d files, want script, style and icon", len(loads))
	}
	for _, m := range loads {
		if info, err := fs.Stat(Dist(), string(m[1])); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	workers, err := fs.Glob(Dist(), "assets/feed.worker-*.js")
	if err != nil || len(workers) != 1 {
		t.Errorf("the worker that reads the stream: %v, %v", workers, err)
	}
}
