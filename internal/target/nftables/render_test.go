package nftables

import (
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	w := example(t, "three-tier")
	for name, data := range rendered(t, w) {
		os.WriteFile("/tmp/fb/h-"+name[:3]+".json", data, 0o644)
		t.Log(name, len(data))
	}
}
