package lock_test

import (
	"context"
	"strings"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/lock"
)

// A mishap befalls one request of a contender: one after the other each of
// those it sends from its first acquisition to its last release.
type mishap struct {
	name string
	// fault is what happens to the request.
	fault etcdtest.Fault
	// does happens while the request is held up, before it is carried out or
	// (after) before it is answered.
	does  func(*act)
	after bool
	// permits says which errors the contender may see.
	permits []error
	// telling ones are tried on the locks of every kind, also where time is
	// short.
	telling bool
}

// act is a run in which a mishap happens.
type act struct {
	*world
	kind
	s      *etcd.Session
	cancel context.CancelFunc
	made   contender // what the contender acquires
}

var mishaps = []mishap{
	{name: "the request is lost", fault: etcdtest.Fault{LoseRequest: true}},
	{name: "the reply is lost", fault: etcdtest.Fault{LoseReply: true}, telling: true},
	{name: "the reply is cut short", fault: etcdtest.Fault{CutReply: 20}},
	{name: "the reply is late", fault: etcdtest.Fault{DelayReply: 3 * time.Second}},
	{name: "the reply is later than an attempt lasts", fault: etcdtest.Fault{DelayReply: 8 * time.Second}},
	{name: "the request is late", fault: etcdtest.Fault{Delay: 3 * time.Second}},
	{name: "the answer is garbage", fault: etcdtest.Fault{Reply: etcdtest.TextReply(200, "application/json", `{"header":`)}},
	{name: "the answer is garbage after the commit", fault: etcdtest.Fault{Commit: true, Reply: etcdtest.TextReply(502, "text/html", "<html>bad gateway</html>")}},
	{name: "the context ends before it is carried out", does: func(a *act) { a.cancel() }, permits: []error{context.Canceled}},
	{name: "the context ends before the answer", does: func(a *act) { a.cancel() }, after: true, permits: []error{context.Canceled}, telling: true},
	{name: "the lease is revoked before it is carried out", does: revoke, permits: gone},
	{name: "the lease is revoked before the answer", does: revoke, after: true, permits: gone, telling: true},
	{name: "the key is deleted before it is carried out", does: deleteOwn, permits: []error{lock.ErrDeleted}},
	{name: "the key is deleted before the answer", does: deleteOwn, after: true, permits: []error{lock.ErrDeleted}},
	{name: "it is broken before the answer", does: breakOwn, after: true, permits: []error{lock.ErrBroken, lock.ErrDeleted}},
	{name: "the watches break", does: func(a *act) { a.srv.DropWatches() }},
	{name: "the history is compacted", does: func(a *act) { _ = a.srv.Compact(a.srv.Revision()) }},
	{name: "the member is killed and comes back", does: func(a *act) { a.srv.Kill(1); time.Sleep(2 * time.Second); a.srv.Restart(1) }},
	{name: "the member is paused beyond the TTL", does: func(a *act) { a.srv.Pause(1); time.Sleep(30 * time.Second); a.srv.Resume(1) },
		permits: append(gone, etcd.ErrUnavailable), telling: true},
}

var gone = []error{etcd.ErrSessionRevoked, etcd.ErrSessionExpired, lock.ErrDeleted}

func revoke(a *act) { a.srv.RevokeLease(int64(a.s.Lease())) }

// ownKeys gives the contender's keys.
func (a *act) ownKeys() []string {
	var own []string
	for _, key := range a.standing(a.kind) {
		if strings.Contains(key, "/"+a.s.Lease().String()+"-") {
			own = append(own, key)
		}
	}
	return own
}

func deleteOwn(a *act) {
	for _, k := range a.ownKeys() {
		a.srv.Delete(k)
	}
}

// breakOwn is an operator who breaks one of the contender's locks.
func breakOwn(a *act) {
	for _, name := range a.locks {
		for _, k := range a.ownKeys() {
			if kv, ok := a.srv.Get(k); ok && strings.HasPrefix(k, lock.Root+name+"/") {
				_, _ = lock.Break(a.Context(), a.client(), name, kv.CreateRevision, "stuck")
				return
			}
		}
	}
}
