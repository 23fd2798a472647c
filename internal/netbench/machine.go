package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine is where a run took place.
type machine struct {
	Processor, Memory, Kernel, Go, Clang string
	Cores                                int
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go") + " " + runtime.GOARCH}
	m.Processor = field("/proc/cpuinfo", "model name")
	m.Memory = field("/proc/meminfo", "MemTotal")
	if kb := 0; m.Memory != "" {
		if _, err := fmt.Sscanf(m.Memory, "%d kB", &kb); err == nil {
			m.Memory = fmt.Sprintf("%.1f GiB", float64(kb)/(1<<20))
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if out, err := exec.Command("clang-19", "--version").Output(); err == nil {
		m.Clang, _, _ = strings.Cut(string(out), "\n")
	}
	return m
}

// field finds a "name : value" line of a file.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		k, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (m machine) table(d *document, settings string) {
	d.line("## The machine\n")
	d.head("", "")
	d.row("processor", m.Processor)
	d.row("cores", fmt.Sprint(m.Cores))
	d.row("memory", m.Memory)
	d.row("kernel", m.Kernel)
	d.row("Go", m.Go)
	d.row("clang", m.Clang)
	d.row("run", settings)
}
