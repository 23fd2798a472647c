package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"firebreak/internal/demo/lab"
)

// child is a process of this program inside a host, pinned to one processor.
type child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  chan []byte
}

// startChild returns when the child is ready.
func startChild(h *lab.Host, cgroup, name string, cpu int) (*child, error) {
	cmd := exec.Command("/proc/self/exe")
	// Two, so that one thread may block for good; no preemption, because its
	// signal would interrupt what is measured.
	cmd.Env = append(os.Environ(), roleEnv+"="+name, "GOMAXPROCS=2", "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	err = h.Do(func() error {
		before, err := affinity()
		if err != nil {
			return err
		}
		if err := pin(only(cpu)); err != nil {
			return err
		}
		return errors.Join(lab.StartIn(cgroup, cmd), pin(before))
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, in: in, out: make(chan []byte, 4)}
	go c.listen(out)
	if line, err := c.line(5 * time.Second); err != nil || string(line) != "ready" {
		return nil, errors.Join(fmt.Errorf("%s is not ready: %q: %w", name, line, err), c.stop())
	}
	return c, nil
}

func (c *child) listen(out io.Reader) {
	defer close(c.out)
	for s := bufio.NewScanner(out); s.Scan(); {
		c.out <- append([]byte{}, s.Bytes()...)
	}
}

func (c *child) line(within time.Duration) ([]byte, error) {
	select {
	case b, ok := <-c.out:
		if !ok {
			return nil, fmt.Errorf("%s ended", c.name)
		}
		return b, nil
	case <-time.After(within):
		return nil, fmt.Errorf("%s does not answer", c.name)
	}
}

// ask gives an order and waits for the answer.
func (c *child) ask(o order) (answer, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.in.Write(append(b, '\n')); err != nil {
		return answer{}, err
	}
	line, err := c.line(o.For + 4*patience)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return a, err
	}
	if a.Err != "" {
		return a, fmt.Errorf("%s, %s: %s", c.name, o.Do, a.Err)
	}
	return a, nil
}

func (c *child) stop() error {
	err := c.in.Close()
	select {
	case <-c.out:
	case <-time.After(100 * time.Millisecond):
		err = errors.Join(err, c.cmd.Process.Kill())
	}
	_ = c.cmd.Wait() // how it ends is of no interest any more
	return err
}
