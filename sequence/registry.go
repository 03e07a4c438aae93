package sequence

import (
	"runtime"
	"sync"
	"weak"

	"github.com/quorate/quorate/etcd"
)

// A registry gives Sequences that are made alike, of one client, one counter,
// so that they share commits instead of getting in each other's way. It holds
// neither clients nor counters.
type registry struct {
	mu       sync.Mutex
	counters map[place]weak.Pointer[counter]
}

// A place is what makes Sequences alike.
type place struct {
	client weak.Pointer[etcd.Client]
	key    string
	opts   agreement
}

var shared = registry{counters: make(map[place]weak.Pointer[counter])}

// counter gives the counter of a place.
func (r *registry) counter(client *etcd.Client, key string, opts agreement) *counter {
	p := place{weak.Make(client), key, opts}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.counters[p].Value(); c != nil {
		return c
	}
	c := newCounter(client, key, opts)
	r.counters[p] = weak.Make(c)
	runtime.AddCleanup(c, r.forget, p)
	return c
}

// forget drops a counter that nobody uses any more.
func (r *registry) forget(p place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counters[p].Value() == nil {
		delete(r.counters, p)
	}
}
