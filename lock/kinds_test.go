package lock_test

import (
	"context"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// A kind is a way to hold a lock, with those who exclude it.
type kind struct {
	name  string
	locks []string // the names it uses
	// front excludes mine while it is held, and mine excludes after. Each makes
	// what a session acquires.
	front, mine, after func(*etcd.Session) trier
	// between, if there is one, happens to a lock that is held: it gives the
	// handle that counts from there on.
	between func(context.Context, *lock.Handle) (*lock.Handle, error)
	try     bool // it does not wait
}

// A trier is what can be acquired with a wait or without.
type trier interface {
	contender
	TryAcquire(context.Context) (*lock.Handle, error)
}

// tries is a contender that does not wait.
type tries struct{ trier }

func (t tries) Acquire(ctx context.Context) (*lock.Handle, error) { return t.TryAcquire(ctx) }

func (r reads) TryAcquire(ctx context.Context) (*lock.Handle, error) { return r.TryAcquireRead(ctx) }

func (p permits) TryAcquire(ctx context.Context) (*lock.Handle, error) {
	return p.Semaphore.TryAcquire(ctx, p.n)
}

func (s several) TryAcquire(ctx context.Context) (*lock.Handle, error) {
	return lock.TryAcquireAll(ctx, s...)
}

func aMutex(s *etcd.Session) trier  { return lock.New(s, "deploy") }
func aWriter(s *etcd.Session) trier { return lock.NewRW(s, "catalog") }
func aReader(s *etcd.Session) trier { return reads{lock.NewRW(s, "catalog")} }

func somePermits(n int64) func(*etcd.Session) trier {
	return func(s *etcd.Session) trier { return permits{lock.NewSemaphore(s, "licences", 3), n} }
}

func aQuarantined(s *etcd.Session) trier {
	return lock.New(s, "careful", lock.WithQuarantine(5*time.Second))
}

// aMix is several locks of all sorts, either sharing where that is possible or
// not.
func aMix(s *etcd.Session) trier {
	return several{lock.New(s, "deploy"), lock.NewRW(s, "catalog").Reader(), lock.NewSemaphore(s, "licences", 3).Weight(2)}
}

func aMixForItself(s *etcd.Session) trier {
	return several{lock.NewSemaphore(s, "licences", 3).Weight(3), lock.NewRW(s, "catalog").Writer()}
}

func aCarefulMix(s *etcd.Session) trier {
	return several{lock.New(s, "deploy"), lock.New(s, "careful", lock.WithQuarantine(5*time.Second)), lock.NewRW(s, "catalog").Reader()}
}

func aCarefulPair(s *etcd.Session) trier {
	return several{lock.New(s, "careful", lock.WithQuarantine(5*time.Second)), lock.New(s, "deploy")}
}

func trying(f func(*etcd.Session) trier) func(*etcd.Session) trier {
	return func(s *etcd.Session) trier { return tries{f(s)} }
}

var kinds = []kind{
	{name: "mutex", locks: []string{"deploy"}, front: aMutex, mine: aMutex, after: aMutex},
	{name: "writer", locks: []string{"catalog"}, front: aReader, mine: aWriter, after: aReader},
	{name: "reader", locks: []string{"catalog"}, front: aWriter, mine: aReader, after: aWriter},
	{name: "writer that becomes a reader", locks: []string{"catalog"}, front: aReader, mine: aWriter, after: aWriter,
		between: func(ctx context.Context, h *lock.Handle) (*lock.Handle, error) { return h.Downgrade(ctx) }},
	{name: "permits", locks: []string{"licences"}, front: somePermits(2), mine: somePermits(2), after: somePermits(3)},
	{name: "several", locks: []string{"deploy", "catalog", "licences"}, front: aMixForItself, mine: aMix, after: aMixForItself},
	{name: "mutex with a quarantine", locks: []string{"careful"}, front: aQuarantined, mine: aQuarantined, after: aQuarantined},
	{name: "try of a mutex", locks: []string{"deploy"}, front: aMutex, mine: trying(aMutex), after: aMutex, try: true},
	{name: "try of a reader", locks: []string{"catalog"}, front: aWriter, mine: trying(aReader), after: aWriter, try: true},
	{name: "try of several", locks: []string{"deploy", "catalog", "licences"}, front: aMixForItself, mine: trying(aMix), after: aMixForItself, try: true},
	{name: "several, one with a quarantine", locks: []string{"deploy", "careful", "catalog"}, front: aCarefulPair, mine: aCarefulMix, after: aCarefulPair},
}

// standing gives the keys of all who stand in the lines of k.
func (w *world) standing(k kind) []string {
	var keys []string
	for _, name := range k.locks {
		for _, key := range w.contenders(name) {
			if key != lock.Root+name+"/held" {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
