package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestServeRunsUntilToldToStop(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "wire.sock")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, log := io.Pipe()
	cmd := NewServe()
	cmd.SetArgs([]string{"--listen", "127.0.0.1:0", "--wire", sock})
	cmd.SetErr(log)
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx); log.Close() }()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %v", err, <-done)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	url := regexp.MustCompile(`http://\S+/`).FindString(line)
	if url == "" || !strings.Contains(line, sock) {
		t.Fatalf("it does not say where it is: %q", line)
	}
	r, err := http.Get(url + "api/v1/snapshot")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("its socket is left: %v", err)
	}
}

func TestServeSaysWhatToDoAboutATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := NewServe()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"--listen", l.Addr().String(), "--wire", filepath.Join(t.TempDir(), "s")})
	err = cmd.Execute()
	var misuse misuseError
	if !errors.As(err, &misuse) || !strings.Contains(err.Error(), "is taken") {
		t.Fatalf("got %v", err)
	}
}
