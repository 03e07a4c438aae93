package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A proxy stands between quorate and etcd until it is cut.
type proxy struct {
	url    string
	ln     net.Listener
	target string

	mu    sync.Mutex
	conns []net.Conn
	isCut bool
	wg    sync.WaitGroup
}

func startProxy(t *testing.T, endpoint string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + ln.Addr().String(), ln: ln, target: strings.TrimPrefix(endpoint, "http://")}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(in, out) {
			in.Close()
			if err == nil {
				out.Close()
			}
			continue
		}
		p.wg.Go(func() { _, _ = io.Copy(out, in); out.Close() })
		p.wg.Go(func() { _, _ = io.Copy(in, out); in.Close() })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isCut {
		p.conns = append(p.conns, conns...)
	}
	return !p.isCut
}

// cut ends all connections and takes no more.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = true
	p.ln.Close()
	for _, c := range p.conns {
		c.Close()
	}
}
