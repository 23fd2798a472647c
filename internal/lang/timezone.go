package lang

import (
	"archive/zip"
	_ "embed"
	"errors"
	"io"
	"strings"
	"time"

	"firebreak/internal/diag"
)

// zoneinfo is the IANA Time Zone Database (2025c, public domain) in the form
// of Go's lib/time/zoneinfo.zip. It is part of the program so that a policy
// means the same on every machine, whatever is installed there.
//
//go:embed zoneinfo.zip
var zoneinfo string

// regions are places where the clock shows what an abbreviation means. Those
// that the database has as names itself (CET, EST …) are not among them.
var regions = map[string]string{
	"CEST": "Europe/Berlin", "EEST": "Europe/Helsinki", "WEST": "Europe/Lisbon", "BST": "Europe/London", "MSK": "Europe/Moscow",
	"EDT": "America/New_York", "CDT": "America/Chicago", "CST": "America/Chicago", "MDT": "America/Denver", "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
	"IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "KST": "Asia/Seoul", "HKT": "Asia/Hong_Kong", "SGT": "Asia/Singapore",
	"AEST": "Australia/Sydney", "AEDT": "Australia/Sydney", "NZST": "Pacific/Auckland", "NZDT": "Pacific/Auckland",
}

// timeZones finds time zones by name, and returns the same one for the same
// name. The zero value is ready to use.
type timeZones struct {
	files map[string]*zip.File
	known map[string]*time.Location
}

func (z *timeZones) open() error {
	if z.files != nil {
		return nil
	}
	archive, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return err
	}
	z.files, z.known = map[string]*zip.File{}, map[string]*time.Location{"UTC": time.UTC}
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			z.files[f.Name] = f
		}
	}
	return nil
}

func (z *timeZones) load(name string) (*time.Location, error) {
	if err := z.open(); err != nil {
		return nil, err
	}
	if where := z.known[name]; where != nil {
		return where, nil
	}
	f := z.files[name]
	if f == nil {
		return nil, errors.New("unknown")
	}
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	where, err := time.LoadLocationFromTZData(name, data)
	if err == nil {
		z.known[name] = where
	}
	return where, err
}

// nearest returns the name that was probably meant: the same in other case,
// one that ends with it, or one with a slip of the pen; else "".
func (z *timeZones) nearest(name string) string {
	city := strings.ReplaceAll(strings.TrimSpace(name), " ", "_")
	var all []string
	best := ""
	for f := range z.files {
		if near := len(f) - len(city); max(near, -near) <= len(city)/3+1 {
			all = append(all, f) // the others are too far off to be meant
		}
		_, last, _ := strings.Cut(f, "/")
		if strings.EqualFold(f, city) {
			return f
		}
		if strings.EqualFold(last, city) && (best == "" || f < best) {
			best = f
		}
	}
	if best != "" {
		return best
	}
	return diag.Nearest(city, all)
}
