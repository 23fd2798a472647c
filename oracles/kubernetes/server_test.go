package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// server is a running API server.
type server struct {
	url    string
	client *http.Client
}

const token = "the-judge"

// start builds the API server and etcd, once for each version of their modules,
// and runs them on the loopback until the test ends.
func start(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	bin := binary(t, dir)
	etcd, peer, api := freePort(t), freePort(t), freePort(t)
	run(t, bin, "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", "http://127.0.0.1:"+etcd, "--advertise-client-urls", "http://127.0.0.1:"+etcd,
		"--listen-peer-urls", "http://127.0.0.1:"+peer, "--initial-advertise-peer-urls", "http://127.0.0.1:"+peer, "--initial-cluster", "default=http://127.0.0.1:"+peer)
	tokens, key := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "sa.key")
	write(t, tokens, token+",judge,judge,system:masters\n")
	if out, err := exec.Command("openssl", "genrsa", "-out", key, "2048").CombinedOutput(); err != nil {
		t.Fatalf("no key for service accounts: %v\n%s", err, out)
	}
	run(t, bin, "apiserver", "--etcd-servers", "http://127.0.0.1:"+etcd, "--cert-dir", filepath.Join(dir, "certs"),
		"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", api, "--token-auth-file", tokens, "--authorization-mode", "AlwaysAllow",
		"--service-account-issuer", "https://judge", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--service-cluster-ip-range", "10.96.0.0/16", "--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none")
	s := &server{url: "https://127.0.0.1:" + api, client: &http.Client{
		// The server makes its own certificate; this is the loopback.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 10 * time.Second,
	}}
	s.wait(t)
	return s
}

// binary is the program that KAPI names, or else one that is built here; Go's
// build cache makes the second time quick.
func binary(t *testing.T, dir string) string {
	t.Helper()
	if bin := os.Getenv("KAPI"); bin != "" {
		return bin
	}
	bin := filepath.Join(dir, "kapi")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd/kapi").CombinedOutput(); err != nil {
		t.Fatalf("the API server does not build: %v\n%s", err, out)
	}
	return bin
}

// run starts a program, whose output is shown if the test fails, and ends it
// with the test.
func run(t *testing.T, bin string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it stores nothing that is kept
		_ = cmd.Wait()
		if t.Failed() {
			text := out.String()
			t.Logf("%s said:\n%s", args[0], text[max(0, len(text)-4000):])
		}
	})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// wait returns as soon as the server is ready.
func (s *server) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if code, _, err := s.send(ctx, http.MethodGet, "/readyz", nil); err == nil && code == http.StatusOK {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the API server does not become ready")
		case <-tick.C:
		}
	}
}

func (s *server) send(ctx context.Context, method, path string, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/yaml")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text), err
}

// create asks the server to create an object, refusing fields that it does not
// know and those that stand twice. Nothing is stored with dry.
func (s *server) create(t *testing.T, path string, object []byte, dry bool) (int, string) {
	t.Helper()
	path += "?fieldValidation=Strict"
	if dry {
		path += "&dryRun=All"
	}
	code, text, err := s.send(t.Context(), http.MethodPost, path, object)
	if err != nil {
		t.Fatal(err)
	}
	return code, fmt.Sprintf("%d: %s", code, text)
}
