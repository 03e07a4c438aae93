package lock_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// A mishap befalls one request of a contender: one after the other each of
// those it sends from its first acquisition to its last release.
type mishap struct {
	name string
	// fault gives what happens to the request; step is closed when it arrives.
	fault etcdtest.Fault
	// does happens while the request is held up, before it is carried out or
	// (after) before it is answered.
	does  func(*act)
	after bool
	// permits says which errors the contender may see.
	permits []error
}

// act is a run in which a mishap happens.
type act struct {
	*world
	s      *etcd.Session
	cancel context.CancelFunc
}

// ownKeys gives the contender's keys.
func (a *act) ownKeys() []string {
	return a.srv.Keys(lock.Root + "deploy/" + a.s.Lease().String() + "-")
}

var mishaps = []mishap{
	{name: "the request is lost", fault: etcdtest.Fault{LoseRequest: true}},
	{name: "the reply is lost", fault: etcdtest.Fault{LoseReply: true}},
	{name: "the reply is cut short", fault: etcdtest.Fault{CutReply: 20}},
	{name: "the reply is late", fault: etcdtest.Fault{DelayReply: 3 * time.Second}},
	{name: "the reply is later than an attempt lasts", fault: etcdtest.Fault{DelayReply: 8 * time.Second}},
	{name: "the request is late", fault: etcdtest.Fault{Delay: 3 * time.Second}},
	{name: "the answer is garbage", fault: etcdtest.Fault{Reply: etcdtest.TextReply(200, "application/json", `{"header":`)}},
	{name: "the answer is garbage after the commit", fault: etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
	{name: "the context ends before it is carried out", does: func(a *act) { a.cancel() }, permits: []error{context.Canceled}},
	{name: "the context ends before the answer", does: func(a *act) { a.cancel() }, after: true, permits: []error{context.Canceled}},
	{name: "the lease is revoked before it is carried out", does: revoke, permits: gone},
	{name: "the lease is revoked before the answer", does: revoke, after: true, permits: gone},
	{name: "the key is deleted before it is carried out", does: deleteOwn, permits: []error{lock.ErrDeleted}},
	{name: "the key is deleted before the answer", does: deleteOwn, after: true, permits: []error{lock.ErrDeleted}},
	{name: "the watches break", does: func(a *act) { a.srv.DropWatches() }},
	{name: "the history is compacted", does: func(a *act) { _ = a.srv.Compact(a.srv.Revision()) }},
	{name: "the member is killed and comes back", does: func(a *act) { a.srv.Kill(1); time.Sleep(2 * time.Second); a.srv.Restart(1) }},
	{name: "the member is paused beyond the TTL", does: func(a *act) { a.srv.Pause(1); time.Sleep(30 * time.Second); a.srv.Resume(1) }, permits: append(gone, etcd.ErrUnavailable)},
}

var gone = []error{etcd.ErrSessionRevoked, etcd.ErrSessionExpired, lock.ErrDeleted}

func revoke(a *act) { a.srv.RevokeLease(int64(a.s.Lease())) }
func deleteOwn(a *act) {
	for _, k := range a.ownKeys() {
		a.srv.Delete(k)
	}
}

// TestWhateverBefallsAnyRequestOfAContender takes one request after the other
// of a contender's life, and lets every mishap happen to it. Whatever the
// contender is told must be true, and afterwards the line goes on.
func TestWhateverBefallsAnyRequestOfAContender(t *testing.T) {
	for _, m := range mishaps {
		for _, contended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, contended %v", m.name, contended), func(t *testing.T) {
				for step := 0; ; step++ {
					hit := false
					inBubble(t, func(w *world) { hit = w.suffer(m, step, contended) }, three...)
					if !hit {
						if step < 2 {
							t.Fatalf("the contender sent only %d requests", step)
						}
						break
					}
				}
			})
		}
	}
}

// suffer runs a contender whose request number step suffers m. It reports
// whether there was such a request.
func (w *world) suffer(m mishap, step int, contended bool) bool {
	other, s := w.apart()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	a := &act{world: w, s: s, cancel: cancel}

	var first *lock.Handle
	if contended {
		first = w.acquire(lock.New(other, "deploy"))
	}

	f := m.fault
	f.Members, f.Skip, f.Times = []int{1}, step, 1
	done := make(chan struct{})
	if m.does != nil {
		hold := make(chan struct{})
		if m.after {
			f.HoldReply = hold
		} else {
			f.Hold = hold
		}
		in := w.srv.Inject(f)
		watching, stop := context.WithCancel(context.Background())
		defer func() { stop(); <-done }()
		go func() {
			defer close(done)
			defer close(hold)
			if in.Await(watching, 1) == nil {
				m.does(a)
			}
		}()
		defer in.Remove()
		return w.contend(a, ctx, m, first, other, in)
	}
	in := w.srv.Inject(f)
	defer in.Remove()
	return w.contend(a, ctx, m, first, other, in)
}

func (w *world) contend(a *act, ctx context.Context, m mishap, first *lock.Handle, other *etcd.Session, in *etcdtest.Injected) bool {
	mine := lock.New(a.s, "deploy")
	c := w.start(ctx, mine)
	if first != nil {
		time.Sleep(time.Second)
		w.release(first)
	}
	var last int64
	if first != nil {
		last = first.Token()
	}
	got := <-c
	allowed := func(err error) {
		w.Helper()
		for _, p := range m.permits {
			if errors.Is(err, p) {
				return
			}
		}
		require.NoError(w, err, "step not survived")
	}
	if got.err != nil {
		allowed(got.err)
	} else {
		require.Greater(w, got.h.Token(), last)
		last = got.h.Token()
		time.Sleep(200 * time.Millisecond) // long enough to be watched
		g := w.guardedBy(other, got.h.Guard())
		if err := got.h.Err(); err != nil {
			allowed(err)
		} else {
			require.True(w, g, "the guard is refused although the lock is held")
		}
		if err := got.h.Release(ctx); err != nil {
			allowed(err)
		}
		require.Error(w, got.h.Err())
		require.Error(w, got.h.Context().Err())
	}
	// The line goes on, and the next holder is the only one.
	h, err := lock.New(other, "deploy").Acquire(w.Context())
	require.NoError(w, err)
	require.Greater(w, h.Token(), last)
	if got.h != nil {
		require.False(w, w.guardedBy(other, got.h.Guard()), "two holders")
	}
	w.release(h)
	time.Sleep(time.Minute) // late writes, and the janitor behind them
	require.Empty(w, w.line("deploy"))
	return in.Hits() > 0
}
