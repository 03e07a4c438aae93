package cluster

import (
	"sync"
	"time"
)

// links says which member's messages reach which. Members keep connections in
// both directions and send messages on either, so what counts is who sends the
// bytes, not who dialed.
type links struct {
	mu    sync.Mutex
	index map[string]int // a member's id to its index
	cut   map[[2]int]bool
}

// blocked reports whether bytes on a connection that source dialed to member to
// are held in a direction.
func (l *links) blocked(source string, to int, dir Direction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, known := l.index[source]
	if !known {
		// Someone who has not said who it is (a health probe): held where the
		// member is cut off from everybody.
		for other := range len(l.index) {
			if other != to && !l.holds(other, to, dir) {
				return false
			}
		}
		return len(l.index) > 1
	}
	return l.holds(from, to, dir)
}

func (l *links) holds(from, to int, dir Direction) bool {
	if dir == Down {
		from, to = to, from
	}
	return l.cut[[2]int{from, to}]
}

// CutLink holds all that member from sends to member to; the other direction
// works. Connections stay open, as they do when packets are lost.
func (c *Cluster) CutLink(from, to int) {
	c.changeLinks(func(l *links) { l.cut[[2]int{from, to}] = true })
}

// Partition holds everything between the members of one side and all others,
// in both directions.
func (c *Cluster) Partition(side ...int) {
	c.changeLinks(func(l *links) {
		in := map[int]bool{}
		for _, i := range side {
			in[i] = true
		}
		for i := range c.members {
			for j := range c.members {
				if in[i] != in[j] {
					l.cut[[2]int{i, j}] = true
				}
			}
		}
	})
}

// HealLinks ends all cuts and delays between members.
func (c *Cluster) HealLinks() {
	c.changeLinks(func(l *links) { clear(l.cut) })
	c.DelayLinks(0)
}

// DelayLinks makes every message between members arrive later by so much.
func (c *Cluster) DelayLinks(d time.Duration) {
	for _, m := range c.members {
		m.peer.Delay(d, d)
	}
}

func (c *Cluster) changeLinks(alter func(*links)) {
	c.links.mu.Lock()
	alter(&c.links)
	c.links.mu.Unlock()
	for _, m := range c.members {
		m.peer.change(func() {})
	}
}
