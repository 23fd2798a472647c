// Command growth measures how time and memory grow with the size of an estate,
// from 1,000 workloads up to what the machine holds, and prints a table in
// Markdown. Every size is measured in processes of its own.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"firebreak/internal/gen"
)

func main() {
	o := gen.Options{}
	most := flag.Int("max", 1_000_000, "the largest number of workloads")
	least := flag.Int("min", 1000, "the smallest")
	runs := flag.Int("runs", 3, "processes for each size; medians are quoted")
	flag.IntVar(&o.Identities, "identities", 0, "the same number for all sizes, instead of one that grows with the root of the workloads")
	flag.IntVar(&o.Rules, "rules", 0, "the same number for all sizes, instead of five for each identity")
	child := flag.String("measure", "", "measure this directory and print JSON (what each process does)")
	flag.Parse()
	var err error
	if *child != "" {
		err = measureJSON(*child, os.Stdout)
	} else {
		err = run(os.Stdout, o, *least, *most, *runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

// sizes are 1, 3, 10, 30 … thousand.
func sizes(least, most int) []int {
	var out []int
	for n := 1000; n <= most; n *= 10 {
		for _, size := range []int{n, 3 * n} {
			if size >= least && size <= most {
				out = append(out, size)
			}
		}
	}
	return out
}

func run(out io.Writer, o gen.Options, least, most, runs int) error {
	var all []*result
	for _, o.Workloads = range sizes(least, most) {
		whole, err := o.Complete()
		if err != nil {
			fmt.Fprintf(os.Stderr, "left out: %v\n", err)
			continue
		}
		r, err := measureSize(whole, runs)
		if err != nil {
			return fmt.Errorf("%d workloads: %w", whole.Workloads, err)
		}
		all = append(all, r)
	}
	fmt.Fprintf(out, "Go %s, %s/%s, %d cores; medians of %d processes for each size.\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runs)
	printTable(out, all)
	return nil
}

// measureSize makes an estate in a directory of its own and measures it in
// fresh processes.
func measureSize(o gen.Options, runs int) (*result, error) {
	dir, err := os.MkdirTemp("", "firebreak-growth-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := gen.Write(o, createIn(dir), nil); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var list []*result
	for n := range runs {
		fmt.Fprintf(os.Stderr, "%d workloads, process %d of %d\n", o.Workloads, n+1, runs)
		r, err := process(self, dir)
		if err != nil {
			return nil, err
		}
		r.Options = o
		list = append(list, r)
	}
	return medians(list), nil
}

func createIn(dir string) func(string) (io.WriteCloser, error) {
	return func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		return os.Create(path)
	}
}

func process(self, dir string) (*result, error) {
	cmd := exec.Command(self, "-measure", dir)
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said.String())
	}
	r := &result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, err
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.Values["peak memory (RSS)"] = float64(usage.Maxrss) * 1024
	}
	return r, nil
}

// medians takes each value's.
func medians(list []*result) *result {
	out := &result{Options: list[0].Options, Values: map[string]float64{}}
	for name := range list[0].Values {
		var all []float64
		for _, r := range list {
			all = append(all, r.Values[name])
		}
		slices.Sort(all)
		out.Values[name] = all[len(all)/2]
	}
	return out
}
