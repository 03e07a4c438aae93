package lock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/lock"
)

// A foreigner takes the mutex by what docs/lock.md says of foreign clients, and
// nothing else.
type foreigner struct {
	*world
	c     *etcd.Client
	lease etcd.LeaseID
	key   string
	token int64 // the revision that created its key
}

// enqueue enters the line, and gives who is last in front, if anybody is.
func (w *world) enqueue(name, nonce string) (f *foreigner, front string) {
	w.Helper()
	c := w.Client()
	l, err := c.Grant(w.Context(), time.Hour)
	require.NoError(w, err)
	prefix := "quorate/lock/" + name + "/"
	f = &foreigner{world: w, c: c, lease: l.ID, key: prefix + l.ID.String() + "-" + nonce}
	r, err := c.Txn(w.Context(), etcd.Txn{
		If: []etcd.Cmp{etcd.IfCreateRevision(etcd.Key(f.key), etcd.Equal, 0)},
		Then: []etcd.Op{
			etcd.Get(etcd.Prefix(prefix), etcd.WithSort(etcd.ByCreateRevision, etcd.Descending), etcd.WithLimit(1)),
			etcd.Put(f.key, []byte(`{"kind":"writer"}`), etcd.WithLease(l.ID)),
		},
	})
	require.NoError(w, err)
	require.True(w, r.Succeeded)
	f.token = r.Header.Revision
	if kv, ok := r.Results[0].Get.First(); ok {
		front = kv.Key
	}
	return f, front
}

// own is the compare that goes with every write.
func (f *foreigner) own() etcd.Cmp {
	return etcd.IfCreateRevision(etcd.Key(f.key), etcd.Equal, f.token)
}

func (f *foreigner) leave() {
	f.Helper()
	r, err := f.c.Txn(f.Context(), etcd.Txn{If: []etcd.Cmp{f.own()}, Then: []etcd.Op{etcd.Delete(etcd.Key(f.key))}})
	require.NoError(f, err)
	require.True(f, r.Succeeded)
}

func TestWhoFollowsTheDocumentationFromAnotherLanguageStandsInTheSameLine(t *testing.T) {
	bothWays(t, func(w *world) {
		first, front := w.enqueue("deploy", "0123456789abcdef")
		require.Empty(w, front)
		require.True(w, w.guardedBy(w.Session(), first.own()))
		_, err := lock.New(w.Session(), "deploy").TryAcquire(w.Context())
		require.ErrorIs(w, err, lock.ErrHeld)
		ours := w.start(w.Context(), lock.New(w.Session(), "deploy"))
		w.waits(ours)
		second, front := w.enqueue("deploy", "fedcba9876543210")
		require.Equal(w, w.line("deploy")[1], front, "ours")
		gone, err := second.c.Watch(w.Context(), etcd.Key(front), etcd.DeletesOnly())
		require.NoError(w, err)
		defer gone.Close()
		reader := w.start(w.Context(), reads{lock.NewRW(w.Session(), "deploy")})

		st, err := lock.Look(w.Context(), w.Client(), "deploy")
		require.NoError(w, err)
		require.Len(w, st.Holders, 1)
		require.Len(w, st.Waiters, 3)
		require.Equal(w, "writer", st.Holders[0].Kind)
		require.Equal(w, first.token, st.Holders[0].Token)

		first.leave()
		h := w.gets(ours)
		require.Greater(w, h.Token(), first.token)
		w.waits(reader)
		w.release(h)
		evs, err := gone.Next(w.Context())
		require.NoError(w, err)
		require.Len(w, evs.Events, 1)
		st, err = lock.Look(w.Context(), w.Client(), "deploy") // it looks again
		require.NoError(w, err)
		require.Equal(w, second.token, st.Holders[0].Token)
		require.Greater(w, second.token, h.Token())
		w.waits(reader)
		second.leave()
		w.release(w.gets(reader))
		require.Empty(w, w.line("deploy"))
	})
}
