package linetest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A Mishap befalls one request of a party: one after the other each of those it
// sends in the course of a test.
type Mishap struct {
	Name string
	// Fault is what happens to the request.
	Fault etcdtest.Fault
	// Does happens while the request is held up, before it is carried out or
	// (After) before it is answered.
	Does  func(*Victim)
	After bool
	// Permits says which errors the party may see.
	Permits []error
	// Telling ones are tried everywhere, also where time is short.
	Telling bool
}

// A Victim is a party that a mishap befalls. Its client knows the second of three
// members alone.
type Victim struct {
	*World
	S      *etcd.Session
	Ctx    context.Context // of its calls
	Cancel context.CancelFunc
}

// Victim makes one.
func (w *World) Victim() *Victim {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	w.Cleanup(cancel)
	return &Victim{World: w, S: w.At(1), Ctx: ctx, Cancel: cancel}
}

// Own gives the keys below a prefix that are bound to the victim's lease.
func (v *Victim) Own(prefix string) []string {
	var own []string
	for _, kv := range v.Srv.KeyValues(prefix) {
		if kv.Lease == int64(v.S.Lease()) {
			own = append(own, kv.Key)
		}
	}
	return own
}

// Gone are the errors that the loss of a lease may show as; deleted is the
// package's own.
func Gone(deleted error) []error {
	return []error{etcd.ErrSessionRevoked, etcd.ErrSessionExpired, deleted}
}

// Mishaps gives those that befall every party; deleted is the error of one whose
// key was deleted.
func Mishaps(deleted error) []Mishap {
	gone := Gone(deleted)
	cancel := func(v *Victim) { v.Cancel() }
	revoke := func(v *Victim) { v.Srv.RevokeLease(int64(v.S.Lease())) }
	deleteOwn := func(v *Victim) {
		for _, key := range v.Own("quorate/") {
			v.Srv.Delete(key)
		}
	}
	return []Mishap{
		{Name: "the request is lost", Fault: etcdtest.Fault{LoseRequest: true}},
		{Name: "the reply is lost", Fault: etcdtest.Fault{LoseReply: true}, Telling: true},
		{Name: "the reply is cut short", Fault: etcdtest.Fault{CutReply: 20}},
		{Name: "the reply is late", Fault: etcdtest.Fault{DelayReply: 3 * time.Second}},
		{Name: "the reply is later than an attempt lasts", Fault: etcdtest.Fault{DelayReply: 8 * time.Second}},
		{Name: "the request is late", Fault: etcdtest.Fault{Delay: 3 * time.Second}},
		{Name: "the answer is garbage", Fault: etcdtest.Fault{Reply: etcdtest.TextReply(200, "application/json", `{"header":`)}},
		{Name: "the answer is garbage after the commit", Fault: etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
		{Name: "the context ends before it is carried out", Does: cancel, Permits: []error{context.Canceled}},
		{Name: "the context ends before the answer", Does: cancel, After: true, Permits: []error{context.Canceled}, Telling: true},
		{Name: "the lease is revoked before it is carried out", Does: revoke, Permits: gone},
		{Name: "the lease is revoked before the answer", Does: revoke, After: true, Permits: gone, Telling: true},
		{Name: "the key is deleted before it is carried out", Does: deleteOwn, Permits: []error{deleted}},
		{Name: "the key is deleted before the answer", Does: deleteOwn, After: true, Permits: []error{deleted}},
		{Name: "the watches break", Does: func(v *Victim) { v.Srv.DropWatches() }},
		{Name: "the history is compacted", Does: func(v *Victim) { _ = v.Srv.Compact(v.Srv.Revision()) }},
		{Name: "the member is killed and comes back", Does: func(v *Victim) { v.Srv.Kill(1); time.Sleep(2 * time.Second); v.Srv.Restart(1) }},
		{Name: "the member is paused beyond the TTL", Does: func(v *Victim) { v.Srv.Pause(1); time.Sleep(30 * time.Second); v.Srv.Resume(1) },
			Permits: append(gone, etcd.ErrUnavailable), Telling: true},
	}
}

// Befalls has m befall the victim's request number step of those it sends while f
// runs. It reports whether there was such a request.
func (v *Victim) Befalls(m Mishap, step int, f func()) bool {
	fault := m.Fault
	fault.Members, fault.Skip, fault.Times = []int{1}, step, 1
	if m.Does == nil {
		in := v.Srv.Inject(fault)
		defer in.Remove()
		f()
		return in.Hits() > 0
	}
	hold := make(chan struct{})
	if m.After {
		fault.HoldReply = hold
	} else {
		fault.Hold = hold
	}
	in := v.Srv.Inject(fault)
	defer in.Remove()
	watching, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	defer func() { stop(); <-done }()
	go func() {
		defer close(done)
		defer close(hold)
		if in.Await(watching, 1) == nil {
			m.Does(v)
		}
	}()
	f()
	return in.Hits() > 0
}

// Tolerates asserts that an error, if it is one, is permitted by the mishap.
func (m Mishap) Tolerates(t require.TestingT, err error) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	for _, p := range m.Permits {
		if errors.Is(err, p) {
			return
		}
	}
	require.NoError(t, err, "not survived")
}
