package risk

import "firebreak/internal/netset"

// Technique is what an attacker does with an open port, as MITRE ATT&CK names
// it. Cost is how hard it is to go on from there, from 1, where a stolen
// credential or none gives a shell, to 10, where there is nothing to take; the
// numbers are ours and only rank techniques among each other.
type Technique struct {
	ID   string // "T1021.004"
	Name string // as ATT&CK calls it
	Cost int
}

// URL is where the technique is described.
func (t Technique) URL() string {
	id := []byte("https://attack.mitre.org/techniques/")
	for i := range len(t.ID) {
		c := t.ID[i]
		if c == '.' {
			c = '/'
		}
		id = append(id, c)
	}
	return string(append(id, '/'))
}

// The techniques. Enterprise ATT&CK, versions 14 to 18: none of these changed
// its number or name between them, but that T1213.006 came with 16.
var (
	rdp       = Technique{"T1021.001", "Remote Services: Remote Desktop Protocol", 1}            // attack.mitre.org/techniques/T1021/001
	smb       = Technique{"T1021.002", "Remote Services: SMB/Windows Admin Shares", 1}           // attack.mitre.org/techniques/T1021/002
	dcom      = Technique{"T1021.003", "Remote Services: Distributed Component Object Model", 2} // attack.mitre.org/techniques/T1021/003
	ssh       = Technique{"T1021.004", "Remote Services: SSH", 1}                                // attack.mitre.org/techniques/T1021/004
	vnc       = Technique{"T1021.005", "Remote Services: VNC", 1}                                // attack.mitre.org/techniques/T1021/005
	winrm     = Technique{"T1021.006", "Remote Services: Windows Remote Management", 1}          // attack.mitre.org/techniques/T1021/006
	remote    = Technique{"T1021", "Remote Services", 1}                                         // attack.mitre.org/techniques/T1021
	container = Technique{"T1609", "Container Administration Command", 1}                        // attack.mitre.org/techniques/T1609
	deploy    = Technique{"T1610", "Deploy Container", 1}                                        // attack.mitre.org/techniques/T1610
	software  = Technique{"T1072", "Software Deployment Tools", 2}                               // attack.mitre.org/techniques/T1072
	hijackSSH = Technique{"T1563.001", "Remote Service Session Hijacking: SSH Hijacking", 2}     // attack.mitre.org/techniques/T1563/001
	hijackRDP = Technique{"T1563.002", "Remote Service Session Hijacking: RDP Hijacking", 2}     // attack.mitre.org/techniques/T1563/002
	transfer  = Technique{"T1570", "Lateral Tool Transfer", 3}                                   // attack.mitre.org/techniques/T1570
	taint     = Technique{"T1080", "Taint Shared Content", 3}                                    // attack.mitre.org/techniques/T1080
	exploit   = Technique{"T1210", "Exploitation of Remote Services", 4}                         // attack.mitre.org/techniques/T1210
	databases = Technique{"T1213.006", "Data from Information Repositories: Databases", 3}       // attack.mitre.org/techniques/T1213/006
	mib       = Technique{"T1602.001", "Data from Configuration Repository: SNMP (MIB Dump)", 5} // attack.mitre.org/techniques/T1602/001
	scan      = Technique{"T1046", "Network Service Discovery", 10}                              // attack.mitre.org/techniques/T1046
	ping      = Technique{"T1018", "Remote System Discovery", 10}                                // attack.mitre.org/techniques/T1018
	public    = Technique{"T1190", "Exploit Public-Facing Application", 4}                       // attack.mitre.org/techniques/T1190
	external  = Technique{"T1133", "External Remote Services", 2}                                // attack.mitre.org/techniques/T1133
	webC2     = Technique{"T1071.001", "Application Layer Protocol: Web Protocols", 1}           // attack.mitre.org/techniques/T1071/001
	dnsC2     = Technique{"T1071.004", "Application Layer Protocol: DNS", 1}                     // attack.mitre.org/techniques/T1071/004
	otherC2   = Technique{"T1095", "Non-Application Layer Protocol", 2}                          // attack.mitre.org/techniques/T1095
	leak      = Technique{"T1048", "Exfiltration Over Alternative Protocol", 1}                  // attack.mitre.org/techniques/T1048
)

// service is a line of a table: who may send this traffic may try these.
type service struct {
	name       string
	traffic    netset.Traffic
	techniques []Technique
}

func tcp(ports ...uint16) netset.Traffic { return each(netset.TCP, ports) }
func udp(ports ...uint16) netset.Traffic { return each(netset.UDP, ports) }

func each(p netset.Protocol, ports []uint16) netset.Traffic {
	out := netset.None()
	for _, n := range ports {
		out = out.Union(netset.Of(p, n, n))
	}
	return out
}

// lateral is the table for a hop between workloads. Ports are those of IANA's
// registry or of the product's own documentation.
func lateral() []service {
	return []service{
		{"Remote Desktop", tcp(3389).Union(udp(3389)), []Technique{rdp, hijackRDP}},
		{"SMB", tcp(139, 445), []Technique{smb, transfer, taint}},
		{"DCOM", tcp(135), []Technique{dcom}},
		{"SSH", tcp(22), []Technique{ssh, hijackSSH, transfer}},
		{"VNC", netset.Of(netset.TCP, 5900, 5999).Subtract(tcp(5985, 5986)), []Technique{vnc}},
		{"WinRM", tcp(5985, 5986), []Technique{winrm}},
		{"Telnet and the r-services", tcp(23, 512, 513, 514), []Technique{remote}},
		{"Apple Remote Desktop", tcp(3283).Union(udp(3283)), []Technique{remote}},
		{"Kubernetes API", tcp(6443), []Technique{container, deploy}},
		{"kubelet", tcp(10250, 10255), []Technique{container}},
		{"Docker API", tcp(2375, 2376), []Technique{container, deploy}},
		{"etcd", tcp(2379, 2380), []Technique{databases, exploit}},
		{"Salt, Puppet, Ansible Tower's receptor", tcp(4505, 4506, 8140, 27199), []Technique{software}},
		{"FTP", tcp(20, 21), []Technique{transfer, taint}},
		{"TFTP", udp(69), []Technique{transfer}},
		{"rsync", tcp(873), []Technique{transfer}},
		{"NFS", tcp(111, 2049).Union(udp(111, 2049)), []Technique{transfer, taint}},
		{"AFP", tcp(548), []Technique{transfer, taint}},
		{"PostgreSQL", tcp(5432), []Technique{databases, exploit}},
		{"MySQL", tcp(3306, 33060), []Technique{databases, exploit}},
		{"SQL Server", tcp(1433).Union(udp(1434)), []Technique{databases, exploit}},
		{"Oracle", tcp(1521, 2484), []Technique{databases, exploit}},
		{"MongoDB", netset.Of(netset.TCP, 27017, 27019), []Technique{databases, exploit}},
		{"Redis", tcp(6379, 16379), []Technique{databases, exploit}},
		{"memcached", tcp(11211).Union(udp(11211)), []Technique{databases, exploit}},
		{"Cassandra", tcp(9042), []Technique{databases, exploit}},
		{"Elasticsearch", tcp(9200, 9300), []Technique{databases, exploit}},
		{"SNMP", udp(161), []Technique{mib}},
		{"ICMP", netset.Of(netset.ICMP, 0, 0), []Technique{scan, ping}},
	}
}

// inward is the table for a hop from outside.
func inward() []service {
	remote := tcp(22, 23, 139, 445, 3283, 3389, 5985, 5986, 6443, 10250, 2375, 2376).Union(netset.Of(netset.TCP, 5900, 5999)).Union(udp(3389, 500, 4500, 1194, 51820)).Union(tcp(1194, 1723))
	return []service{
		{"a remote service", remote, []Technique{external}},
		{"ICMP", netset.Of(netset.ICMP, 0, 0), []Technique{scan, ping}},
	}
}

// outward is the table for a hop to the outside: nothing is taken there, but
// orders come in and data goes out.
func outward() []service {
	return []service{
		{"web", tcp(80, 443, 8080, 8443).Union(udp(443)), []Technique{webC2, leak}},
		{"DNS", tcp(53, 853).Union(udp(53, 853)), []Technique{dnsC2, leak}},
		{"ICMP", netset.Of(netset.ICMP, 0, 0), []Technique{otherC2, leak}},
	}
}
