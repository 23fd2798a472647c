package actor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// service answers on its ports; for each request it first makes its own calls.
type service struct {
	witness witness
	caller  *caller
}

func newService(conn *Conn, c *Config) (*service, error) {
	s := &service{witness{conn}, newCaller(c)}
	for _, p := range c.Serve {
		for _, f := range Families {
			if !c.Own.Of(f).IsValid() {
				continue
			}
			if err := s.serve(p, netip.AddrPortFrom(c.Own.Of(f), p.Number)); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	return s, nil
}

func (s *service) do(context.Context, string) {}

func (s *service) serve(p Port, at netip.AddrPort) error {
	switch p.Kind {
	case HTTP, Line:
		ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		seen := listener{ln, s.witness}
		if p.Kind == HTTP {
			go s.serveHTTP(seen)
		} else {
			go s.serveLines(seen)
		}
	case UDP:
		pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		go s.serveDatagrams(pc)
	case ICMP:
		pc, err := listenEcho(at.Addr())
		if err != nil {
			return err
		}
		go s.watchEchoes(pc)
	default:
		return fmt.Errorf("cannot serve %q", p.Kind)
	}
	return nil
}

func (s *service) serveHTTP(ln net.Listener) {
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if err := s.caller.all(r.Context(), FamilyOf(addrPort(local).Addr())); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, "OK", r.Method, r.URL.Path)
	})}
	_ = srv.Serve(ln)
}

func (s *service) serveLines(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go s.answerLines(c)
	}
}

// maxLine bounds what a peer may make a service hold.
const maxLine = 4096

func (s *service) answerLines(c net.Conn) {
	defer c.Close()
	family := FamilyOf(addrPort(c.LocalAddr()).Addr())
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		s.witness.heard(addrPort(c.RemoteAddr()), lines.Text())
		answer := "OK " + lines.Text() + "\n"
		if err := s.caller.all(context.Background(), family); err != nil {
			answer = "ERROR " + err.Error() + "\n"
		}
		if _, err := c.Write([]byte(answer)); err != nil {
			return
		}
	}
}

func (s *service) serveDatagrams(pc *net.UDPConn) {
	buf := make([]byte, maxLine)
	for {
		n, peer, err := pc.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error about an earlier answer
		}
		s.witness.saw(UDP, unmap(peer))
		_, _ = pc.WriteToUDPAddrPort(append([]byte("OK "), buf[:n]...), peer)
	}
}

func (s *service) watchEchoes(pc *net.IPConn) {
	buf := make([]byte, maxLine)
	for {
		n, peer, err := pc.ReadFromIP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		addr, _ := netip.AddrFromSlice(peer.IP)
		f := FamilyOf(addr)
		if id, seq, ok := parseEcho(buf[:n], f, true); ok && id == echoID {
			s.witness.report(Sight{ICMP, f, seq})
		}
	}
}
