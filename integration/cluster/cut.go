package cluster

import "slices"

// Cut is a fault that waits for a request.
type Cut struct {
	proxy *Proxy
	match func(sent []byte) bool
	reply bool
	left  int // how often it still strikes; negative is always
	hits  int
	hit   chan struct{}
}

// LoseReplies lets matching requests through and ends their connections with a
// reset when the server's answer arrives, so that the request was carried out
// and nobody was told. match sees the bytes as they are sent, part of a request
// at a time, and must not keep them; nil matches all. times is how often; 0
// means until Remove or Heal.
func (p *Proxy) LoseReplies(times int, match func(sent []byte) bool) *Cut {
	return p.addCut(true, times, match)
}

// LoseRequests ends the connections of matching requests with a reset before
// the matching bytes reach the server. Arguments are those of LoseReplies.
func (p *Proxy) LoseRequests(times int, match func(sent []byte) bool) *Cut {
	return p.addCut(false, times, match)
}

func (p *Proxy) addCut(reply bool, times int, match func([]byte) bool) *Cut {
	if times == 0 {
		times = -1
	}
	c := &Cut{proxy: p, match: match, reply: reply, left: times, hit: make(chan struct{})}
	p.change(func() { p.cuts = append(p.cuts, c) })
	return c
}

// Hit is closed when the cut first struck.
func (c *Cut) Hit() <-chan struct{} { return c.hit }

// Hits returns how often it struck.
func (c *Cut) Hits() int {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	return c.hits
}

// Remove ends the fault. Connections whose reply it already awaits still lose
// it.
func (c *Cut) Remove() {
	c.proxy.change(func() {
		c.proxy.cuts = slices.DeleteFunc(c.proxy.cuts, func(o *Cut) bool { return o == c })
	})
}
