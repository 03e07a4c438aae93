package queue

import (
	"sync"

	"github.com/quorate/quorate/etcd"
)

// A slot lets a process hold one suspect at a time, whichever of its consumers
// and queues it is of: if the process dies, that one alone is to blame. A process
// is known by its client.
type slot struct {
	c     *etcd.Client
	mu    sync.Mutex
	by    *consumer
	users map[*consumer]bool
}

var slots struct {
	sync.Mutex
	of map[*etcd.Client]*slot
}

// joinSlot gives the slot of a client to a consumer that uses it until leave.
func joinSlot(client *etcd.Client, c *consumer) *slot {
	slots.Lock()
	defer slots.Unlock()
	s := slots.of[client]
	if s == nil {
		s = &slot{c: client, users: make(map[*consumer]bool)}
		if slots.of == nil {
			slots.of = make(map[*etcd.Client]*slot)
		}
		slots.of[client] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[c] = true
	return s
}

func (s *slot) leave(c *consumer) {
	s.release(c)
	slots.Lock()
	defer slots.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.users, c); len(s.users) == 0 {
		delete(slots.of, s.c)
	}
}

// take takes the slot, if it is free.
func (s *slot) take(c *consumer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != nil {
		return false
	}
	s.by = c
	return true
}

// release frees the slot if it is c's, and wakes those who may want it. The
// caller may hold c's mutex, so the others are woken by somebody else.
func (s *slot) release(c *consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by != c {
		return
	}
	s.by = nil
	for u := range s.users {
		u.poke()
	}
}

// freeSlot gives up the slot if cl has it still: once it has been given up, the
// consumer may have taken it for another claim. The caller holds the mutex.
func (c *consumer) freeSlot(cl *claim) {
	if cl.slot {
		cl.slot = false
		c.suspect.release(c)
	}
}

// poke wakes the pump without the mutex.
func (c *consumer) poke() {
	select {
	case c.poked <- struct{}{}:
	default:
	}
}

func (s *slot) isFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by == nil
}
