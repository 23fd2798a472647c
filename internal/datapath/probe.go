package datapath

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"firebreak/internal/cgroup"
)

// ErrUnsupported is wrapped by every error of Probe.
var ErrUnsupported = errors.New("this machine cannot enforce with eBPF")

// Probe says which kernel runs and what it can do: "full", or an error that
// names the first thing that is missing and what to do about it.
func Probe() (kernel, tier string, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	missing := func(format string, args ...any) (string, string, error) {
		return kernel, "", fmt.Errorf("%w: "+format, append([]any{ErrUnsupported}, args...)...)
	}
	if os.Geteuid() != 0 {
		return missing("not root: run it with sudo")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return missing("the kernel has no BTF (/sys/kernel/btf/vmlinux): use a kernel built with CONFIG_DEBUG_INFO_BTF=y")
	}
	if _, err := cgroup.Mount(); err != nil {
		return missing("%v", err)
	}
	if err := features.HaveProgramType(ebpf.Netfilter); err != nil {
		if errors.Is(err, ebpf.ErrNotSupported) {
			return missing("kernel %s has no BPF netfilter programs: use Linux 6.6 or newer, with CONFIG_NETFILTER_BPF_LINK=y", kernel)
		}
		return missing("kernel %s would not say whether it has BPF netfilter programs: %v", kernel, err)
	}
	if err := features.HaveMapType(ebpf.RingBuf); err != nil {
		return missing("kernel %s has no BPF ring buffer: use Linux 6.6 or newer", kernel)
	}
	return kernel, "full", nil
}
