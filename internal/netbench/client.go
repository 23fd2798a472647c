package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// warmUp is how long a client talks before it counts.
const warmUp = 40 * time.Millisecond

// clientState is reused from order to order, so that nothing is allocated
// while the clock runs.
type clientState struct {
	lags []uint32 // ns
}

func (c *clientState) do(o order) (answer, error) {
	c.lags = c.lags[:0]
	switch o.Do {
	case "round":
		return c.round(o)
	case "once":
		return c.once(o)
	case "bulk":
		return bulk(o)
	case "flood":
		return flood(o)
	case "probe":
		return probe(o)
	}
	return answer{}, fmt.Errorf("no such order: %s", o.Do)
}

func (c *clientState) note(ns int64) {
	if len(c.lags) < cap(c.lags) {
		c.lags = append(c.lags, uint32(min(ns, 1<<32-1)))
	}
}

// sum makes an answer of what was noted.
func (c *clientState) sum(elapsed time.Duration) answer {
	a := answer{Requests: len(c.lags), Elapsed: elapsed}
	if len(c.lags) == 0 {
		return a
	}
	slices.Sort(c.lags)
	a.P50, a.P99 = time.Duration(c.lags[len(c.lags)/2]), time.Duration(c.lags[len(c.lags)*99/100])
	return a
}

// round sends message after message on one conversation; with a rate, at
// steady times. Then a request that could not be sent in time, because the one
// before had no answer yet, counts from when it was due.
func (c *clientState) round(o order) (answer, error) {
	fd, err := dial(address(o.To))
	if err != nil {
		return answer{}, err
	}
	defer shut(fd)
	if err := noDelay(fd); err != nil {
		return answer{}, err
	}
	var msg [messageBytes]byte
	ask := func() error {
		if err := write(fd, msg[:]); err != nil {
			return err
		}
		return readFull(fd, msg[:])
	}
	for end := monotonic() + int64(warmUp); monotonic() < end; {
		if err := ask(); err != nil {
			return answer{}, err
		}
	}
	gap := int64(0)
	if o.Rate > 0 {
		gap = int64(time.Second) / int64(o.Rate)
	}
	began := time.Now()
	start := monotonic()
	due, last := start, start
	for last-start < int64(o.For) {
		sent := last
		if gap > 0 {
			due += gap
			sent = due
			if last < due {
				sleepUntil(due)
				sent = monotonic()
			}
		}
		if err := ask(); err != nil {
			return c.sum(time.Since(began)), err
		}
		last = monotonic()
		c.note(last - sent)
	}
	return c.sum(time.Since(began)), nil
}

// once connects, asks and is answered, again and again. The time until the
// answer counts; closing does not.
func (c *clientState) once(o order) (answer, error) {
	to := address(o.To)
	var msg [messageBytes]byte
	began := time.Now()
	start := monotonic()
	for now := start; now-start < int64(o.For); {
		fd, err := dial(to)
		if err == nil {
			if err = write(fd, msg[:]); err == nil {
				err = readFull(fd, msg[:])
			}
			c.note(monotonic() - now)
			if err == nil {
				_, err = read(fd, msg[:]) // the server closes first
			}
			shut(fd)
		}
		if err != nil {
			return c.sum(time.Since(began)), err
		}
		now = monotonic()
	}
	return c.sum(time.Since(began)), nil
}

// bulk sends as much as the other end takes.
func bulk(o order) (answer, error) {
	fd, err := dial(address(o.To))
	if err != nil {
		return answer{}, err
	}
	defer shut(fd)
	b := make([]byte, bulkBytes)
	began := time.Now()
	start := monotonic()
	for monotonic()-start < int64(o.For) {
		if err := write(fd, b); err != nil {
			return answer{}, err
		}
	}
	if err := syscall.Shutdown(fd, syscall.SHUT_WR); err != nil {
		return answer{}, err
	}
	if err := readFull(fd, b[:messageBytes]); err != nil {
		return answer{}, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b[:messageBytes])), 10, 64)
	return answer{Requests: 1, Bytes: n, Elapsed: time.Since(began)}, err
}

// flood opens conversations at a rate, in steps of a millisecond, and leaves
// each at once.
func flood(o order) (answer, error) {
	to := address(o.To)
	began := time.Now()
	start := monotonic()
	a := answer{}
	for {
		now := monotonic() - start
		if now >= int64(o.For) {
			break
		}
		due := int(now * int64(o.Rate) / int64(time.Second))
		if o.Rate == 0 {
			due = a.Requests + a.Failed + 1
		}
		for a.Requests+a.Failed < due && monotonic()-start < int64(o.For) {
			fd, err := dial(to)
			if err != nil {
				a.Failed++
				continue
			}
			err = abort(fd)
			shut(fd)
			if err != nil {
				return a, err
			}
			a.Requests++
		}
		if o.Rate > 0 {
			sleepUntil(start + now + int64(time.Millisecond))
		}
	}
	a.Elapsed = time.Since(began)
	return a, nil
}

// probe tries to connect and reports how that went: Requests is 1 if it did.
func probe(o order) (answer, error) {
	fd, err := dial(address(o.To))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ECONNREFUSED) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	shut(fd)
	return answer{Requests: 1}, nil
}
