package ebpf

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"firebreak/internal/datapath/layout"
	"firebreak/internal/diag"
	"firebreak/internal/target"
)

// fleetFile holds what the tables of several hosts have in common. Without it
// every host's file would list every workload that it may talk with.
const fleetFile = "_fleet/firebreak.fleet.json"

// shared writes the fleet's file, and one for each host that says who is there.
func (e *fleet) shared(hosts map[string][]int, diags *diag.List) []target.File {
	at := map[netip.Addr]int{}
	far := make([]layout.DumpAddress, len(e.tables.Addresses))
	for i, a := range e.tables.Addresses {
		if a.Flags&layout.Workload != 0 {
			at[a.Prefix.Addr()] = i
		}
		far[i] = layout.DumpAddress(a)
		far[i].Local, far[i].Flags = 0, a.Flags&^layout.Own
	}
	e.at = at
	decisions, counts := e.decisions()
	var files []target.File
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		data, n := e.member(name, hosts[name], counts)
		if n > layout.MaxPolicy || len(far) > layout.MaxAddresses {
			diags.Errorf(diag.Pos{}, "capacity", "ebpf: host %s needs %d decisions about %d addresses; the kernel tables hold %d and %d", name, n, len(far), layout.MaxPolicy, layout.MaxAddresses).
				WithHelp("let rules name fewer identities or wider ports, or let a zone's default say it")
			return nil
		}
		files = append(files, target.File{Path: folder(name) + "/firebreak.maps.json", Data: data})
	}
	return append(files, target.File{Path: fleetFile, Data: e.common(far, decisions)})
}

// common writes the fleet's file.
func (e *fleet) common(far []layout.DumpAddress, decisions []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString("{\n\"maps\": " + strconv.Itoa(layout.Version) + ",\n\"estate\": ")
	b.Write(raw(e.w.Policy.Estate))
	b.WriteString(",\n\"hostIdentity\": 0,\n\"addresses\": [")
	for i, a := range far {
		if i > 0 {
			b.WriteByte(',')
		}
		writeAddress(&b, a)
	}
	classes := make([]layout.DumpClass, 0, len(e.tables.Classes))
	for _, c := range e.tables.Classes {
		classes = append(classes, layout.DumpClass(c))
	}
	b.WriteString("\n],\n\"classes\": ")
	b.Write(raw(classes))
	identities := map[uint32]layout.DumpIdentity{}
	for n, i := range e.idents {
		var names []string
		for _, w := range e.w.Policy.Identities[i].Workloads {
			names = append(names, e.w.Policy.Inventory.Workloads[w].Name)
		}
		slices.Sort(names)
		identities[n] = layout.DumpIdentity{Workloads: names}
	}
	b.WriteString(",\n\"identities\": ")
	b.Write(raw(identities))
	b.WriteString(",\n\"rules\": ")
	b.Write(raw(Rules(e.w.Policy, e.n)))
	b.WriteString(",\n\"policy\": [],\n\"decisions\": ")
	list(&b, decisions)
	b.WriteString("\n}\n")
	return b.Bytes()
}

func writeAddress(b *bytes.Buffer, a layout.DumpAddress) {
	buf := append(b.AvailableBuffer(), "\n{\"prefix\":\""...)
	buf = a.Prefix.AppendTo(buf)
	buf = strconv.AppendUint(append(buf, "\",\"peer\":"...), uint64(a.Peer), 10)
	if a.Local != 0 {
		buf = strconv.AppendUint(append(buf, ",\"local\":"...), uint64(a.Local), 10)
	}
	if a.Flags != 0 {
		buf = strconv.AppendUint(append(buf, ",\"flags\":"...), uint64(a.Flags), 10)
	}
	if a.Rule != 0 {
		buf = strconv.AppendUint(append(buf, ",\"rule\":"...), uint64(a.Rule), 10)
	}
	b.Write(append(buf, '}'))
}

// member writes the file of one of several hosts: who is there. n is how many
// decisions its kernel holds.
func (e *fleet) member(name string, here []int, counts map[uint32]int) (data []byte, n int) {
	var own []netip.Addr
	locals := map[uint32]bool{}
	for _, w := range here {
		locals[e.number[e.w.Policy.IdentityOf[w]]] = true
		for _, a := range e.w.Policy.Inventory.Workloads[w].Addresses {
			own = append(own, a.Unmap().WithZone(""))
		}
	}
	slices.SortFunc(own, netip.Addr.Compare)
	own = slices.Compact(own)
	var b bytes.Buffer
	b.WriteString("{\n\"maps\": " + strconv.Itoa(layout.Version) + ",\n\"host\": ")
	b.Write(raw(name))
	b.WriteString(",\n\"estate\": ")
	b.Write(raw(e.w.Policy.Estate))
	b.WriteString(",\n\"hostIdentity\": 0,\n\"fleet\": \"../" + fleetFile + "\",\n\"addresses\": [")
	first := true
	for _, a := range own {
		i, is := e.at[a]
		if !is {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		writeAddress(&b, layout.DumpAddress(e.tables.Addresses[i]))
		locals[e.tables.Addresses[i].Local] = true
	}
	b.WriteString("\n],\n\"classes\": [],\n\"locals\": ")
	numbers := make([]uint32, 0, len(locals))
	for l := range locals {
		numbers = append(numbers, l)
		n += counts[l]
	}
	slices.Sort(numbers)
	b.Write(raw(numbers))
	b.WriteString(",\n\"policy\": []\n}\n")
	return b.Bytes(), n
}
