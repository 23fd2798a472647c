package load

import (
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"firebreak/internal/diag"
)

// A table as nft prints it for people: nft(8), TABLES.
var tableText = regexp.MustCompile(`(?m)^\s*(add\s+)?table\s+((ip|ip6|inet|arp|bridge|netdev)\s+)?[A-Za-z_][\w./\\-]*\s*\{`)

// A ruleset as nft prints it for programs: libnftables-json(5).
var tableJSON = regexp.MustCompile(`^\s*\{\s*"nftables"\s*:`)

// unreadRulesets warns of rules of nftables that lie in the folder in a form, or
// under a name, that nobody reads: their host would seem to have none.
func (l *Live) unreadRulesets() diag.List {
	names, _ := l.Folder.Names()
	var diags diag.List
	for _, name := range names {
		if strings.HasSuffix(name, ".nft.json") {
			continue
		}
		host := strings.TrimSuffix(path.Base(name), path.Ext(name))
		at := diag.Pos{File: name, Line: 1, Col: 1}
		switch ext := path.Ext(name); ext {
		case ".nft", ".txt", ".conf", ".rules", ".nftables", "":
			if ext == ".nft" || tableText.Match(l.beginning(name)) {
				diags.Warnf(at, "live-misread", "these rules are in the language of nft, which is not read: nothing is known of this host's rules").
					WithHelp("write them as JSON, on the host that has loaded them: nft -j list ruleset > %s.nft.json", host)
			}
		case ".json":
			if tableJSON.Match(l.beginning(name)) {
				diags.Warnf(at, "live-misread", "these rules of nftables are not read under this name").
					WithHelp("name the file for its host: %s.nft.json", host)
			}
		}
	}
	return diags
}

// beginning is the first part of a file, as far as it can be read.
func (l *Live) beginning(name string) []byte {
	in, err := l.Folder.FS().Open(name)
	if err != nil {
		return nil
	}
	defer func() { _ = in.Close() }()
	if info, err := in.Stat(); err != nil || info.Mode()&fs.ModeType != 0 {
		return nil
	}
	data, _ := io.ReadAll(io.LimitReader(in, 16<<10))
	return data
}
