package cluster

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy forwards TCP connections to one address and can spoil them. Its methods
// may be called concurrently; a fault acts on what is read from then on.
type Proxy struct {
	target  string
	addr    string
	running sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	conns    map[*conn]struct{}
	changed  chan struct{}                           // closed and replaced when a fault changes
	blocked  func(source string, dir Direction) bool // links only
	held     bool
	delay    [2]time.Duration
	cuts     []*Cut
	closed   bool
}

// NewProxy listens on a free loopback port and forwards to target. Close it.
func NewProxy(target string) (*Proxy, error) {
	p := &Proxy{target: target, conns: map[*conn]struct{}{}, changed: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p.addr = l.Addr().String()
	p.serve(l)
	return p, nil
}

// Addr returns the address to dial.
func (p *Proxy) Addr() string { return p.addr }

// Conns returns how many connections are open.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *Proxy) serve(l net.Listener) {
	p.listener = l
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.forward(client) })
		}
	})
}

func (p *Proxy) forward(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		client.(*net.TCPConn).SetLinger(0) //nolint:errcheck // closing is all that is left
		client.Close()
		return
	}
	c := &conn{proxy: p, client: client, server: server, ended: make(chan struct{})}
	p.mu.Lock()
	if p.closed || p.listener == nil {
		p.mu.Unlock()
		c.close(true)
		return
	}
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	c.run()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// change alters the faults and wakes what waits on them.
func (p *Proxy) change(alter func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	alter()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Blackhole holds every byte in both directions, of connections there are and
// of new ones, until Heal lets them go on.
func (p *Proxy) Blackhole() { p.change(func() { p.held = true }) }

// HalfOpen freezes the connections there are for ever: neither side sees an
// end, and nothing passes, Heal or not. New connections work.
func (p *Proxy) HalfOpen() {
	p.change(func() {
		for c := range p.conns {
			c.frozen = true
		}
	})
}

// Delay makes every byte arrive later by so much in each direction.
func (p *Proxy) Delay(up, down time.Duration) {
	p.change(func() { p.delay = [2]time.Duration{up, down} })
}

// Reset ends the connections there are with a TCP reset.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close(true)
	}
}

// Refuse resets all connections and refuses new ones until Heal.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	l := p.listener
	p.listener = nil
	p.mu.Unlock()
	if l != nil {
		l.Close()
	}
	p.Reset()
}

// Heal ends every fault of the proxy, its cuts included. It fails only where
// the port of a refusing proxy was taken by somebody else.
func (p *Proxy) Heal() error {
	p.change(func() { p.held, p.delay, p.cuts = false, [2]time.Duration{}, nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("proxy to %s: heal: %w", p.target, err)
	}
	p.serve(l)
	return nil
}

// Close ends all connections and returns when everything is gone.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Refuse()
	p.running.Wait()
}
