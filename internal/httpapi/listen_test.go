package httpapi

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStartingFailsWithWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(dir, "live")
	boot(t, Options{Wire: live})
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"port taken":      {Options{Listen: taken.Addr().String()}, "--listen"},
		"not loopback":    {Options{Listen: "0.0.0.0:0"}, "--allow-remote"},
		"every address":   {Options{Listen: ":0"}, "--allow-remote"},
		"a name":          {Options{Listen: "example.com:0"}, "--allow-remote"},
		"no port":         {Options{Listen: "127.0.0.1"}, "ADDRESS:PORT"},
		"a bad port":      {Options{Listen: "127.0.0.1:70700"}, "65535"},
		"a file is there": {Options{Listen: "127.0.0.1:0", Wire: file}, "no socket"},
		"a live server":   {Options{Listen: "127.0.0.1:0", Wire: live}, "another server"},
		"too long":        {Options{Listen: "127.0.0.1:0", Wire: "/tmp/" + strings.Repeat("x", 200)}, "too long"},
		"below a file":    {Options{Listen: "127.0.0.1:0", Wire: file + "/s"}, "not a directory"},
	} {
		_, err := New(c.o)
		var setup *SetupError
		if !errors.As(err, &setup) || setup.ExitCode() != 2 || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is not what it was: %q %v", b, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.[0-9]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	c, err := net.Dial("unix", live)
	if err != nil {
		t.Fatalf("the live server lost its socket: %v", err)
	}
	c.Close()
}

func TestWireSocketIsPrivateTakenOverAndRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "wire.sock")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	s, err := New(Options{Listen: "127.0.0.1:0", Wire: path})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the socket is still there: %v", err)
	}
}
