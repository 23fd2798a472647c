package main

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// Blocking sockets and bare system calls: the Go runtime's poller and scheduler
// would add a cost of their own to every request, and so flatter the ratios.

func socket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	return fd, nil
}

func address(a netip.AddrPort) *syscall.RawSockaddrInet4 {
	sa := &syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: a.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	return sa
}

func listen(port uint16) (int, error) {
	fd, err := socket()
	if err != nil {
		return -1, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(port)}); err != nil {
		return -1, fmt.Errorf("bind port %d: %w", port, err)
	}
	return fd, syscall.Listen(fd, 4096)
}

// dial opens a conversation on which nothing blocks for longer than patience.
func dial(to *syscall.RawSockaddrInet4) (int, error) {
	fd, err := socket()
	if err != nil {
		return -1, err
	}
	limit := syscall.NsecToTimeval(int64(patience))
	err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit)
	if err == nil {
		err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit)
	}
	if err == nil {
		_, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
		if errno != 0 {
			err = fmt.Errorf("connect: %w", errno)
		}
	}
	if err != nil {
		shut(fd)
		return -1, err
	}
	return fd, nil
}

// patience is how long a conversation may be silent before it has failed.
const patience = 2 * time.Second

func accept(fd int) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, syscall.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, fmt.Errorf("accept: %w", errno)
	}
	return int(n), nil
}

// read returns how many bytes came, 0 at the end of the conversation.
func read(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, fmt.Errorf("read: %w", errno)
	}
	return int(n), nil
}

func readFull(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := read(fd, b)
		if err != nil {
			return err
		}
		if n == 0 {
			return errEnded
		}
		b = b[n:]
	}
	return nil
}

func write(fd int, b []byte) error {
	for len(b) > 0 {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno != 0 {
			return fmt.Errorf("write: %w", errno)
		}
		b = b[n:]
	}
	return nil
}

func shut(fd int) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

func noDelay(fd int) error {
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// abort makes closing reset the conversation: no port stays taken.
func abort(fd int) error {
	return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
}

// sleepUntil sleeps until a time of CLOCK_MONOTONIC, in ns.
func sleepUntil(ns int64) {
	const clockMonotonic, absolute = 1, 1
	ts := syscall.NsecToTimespec(ns)
	_, _, _ = syscall.RawSyscall6(syscall.SYS_CLOCK_NANOSLEEP, clockMonotonic, absolute, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
}

// monotonic is CLOCK_MONOTONIC, the clock of the kernel's events, in ns.
func monotonic() int64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// exactTimers lets this thread sleep to the microsecond; otherwise the kernel
// adds up to 50 µs.
func exactTimers() {
	const prSetTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
}

// cpuMask is a set of processors, as sched_setaffinity(2) takes it.
type cpuMask [16]uint64

func affinity() (m cpuMask, err error) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return m, fmt.Errorf("sched_getaffinity: %w", errno)
	}
	return m, nil
}

// pin binds the calling thread, and what it starts from now on.
func pin(m cpuMask) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return fmt.Errorf("sched_setaffinity: %w", errno)
	}
	return nil
}

// cpus lists the processors of a set.
func (m cpuMask) cpus() (out []int) {
	for i := range len(m) * 64 {
		if m[i/64]>>(i%64)&1 == 1 {
			out = append(out, i)
		}
	}
	return out
}

func only(cpu int) (m cpuMask) {
	m[cpu/64] = 1 << (cpu % 64)
	return m
}
