package datapath

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// nfAccept is NF_ACCEPT (linux/netfilter.h); NF_DROP is 0.
const nfAccept = 1

// Try asks the kernel about an IP packet, given from its first header on,
// without sending it: it is judged as if forwarded, at each end that this host
// answers for, and leaves the same traces as a packet would: conversations,
// counters and events. Nothing needs to be attached.
func (d *Datapath) Try(packet []byte) (passes bool, err error) {
	if len(packet) == 0 {
		return false, errors.New("try: an empty packet")
	}
	verdict, err := d.objs.FirebreakForward.Run(&ebpf.RunOptions{Data: packet})
	if err != nil {
		return false, fmt.Errorf("run the program on a packet: %w", err)
	}
	return verdict == nfAccept, nil
}
