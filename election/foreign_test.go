package election_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// A candidate that stands by what docs/election.md says of foreign clients, and
// nothing else, leads in its turn, is handed the leadership, and is observed.
func TestWhoFollowsTheDocumentationFromAnotherLanguageStandsForTheSameElection(t *testing.T) {
	bothWays(t, func(w *world) {
		obs := w.observe(w.Client())
		obs.sees(election.Vacant, "")
		const prefix = "quorate/election/" + name + "/"
		c := w.Client()
		l, err := c.Grant(w.Context(), time.Hour)
		require.NoError(w, err)
		key := prefix + l.ID.String() + "-0123456789abcdef"
		enqueue := func() int64 {
			value := `{"kind":"candidate","value":"` + base64.StdEncoding.EncodeToString([]byte("foreign")) + `"}`
			r, err := c.Txn(w.Context(), etcd.Txn{
				If:   []etcd.Cmp{etcd.IfCreateRevision(etcd.Key(key), etcd.Equal, 0)},
				Then: []etcd.Op{etcd.Put(key, []byte(value), etcd.WithLease(l.ID))},
			})
			require.NoError(w, err)
			require.True(w, r.Succeeded)
			return r.Header.Revision
		}

		created := enqueue()
		obs.sees(election.Elected, "foreign")
		ours := w.start(w.Context(), stand(w.Session()), "ours")
		w.waits(ours)
		st, err := election.Look(w.Context(), c, name)
		require.NoError(w, err)
		require.Equal(w, created, st.Leader.Created)
		require.False(w, st.Leader.Native)

		// It resigns under its guard, and ours leads.
		guard := etcd.AllOf(etcd.IfCreateRevision(etcd.Key(key), etcd.Equal, created), etcd.IfLease(etcd.Key(key), etcd.Equal, l.ID),
			etcd.IfModRevision(etcd.Key(prefix+"handover"), etcd.Less, created+1))
		r, err := c.Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{guard}, Then: []etcd.Op{etcd.Delete(etcd.Key(key))}})
		require.NoError(w, err)
		require.True(w, r.Succeeded)
		term := w.leads(ours)
		obs.sees(election.Elected, "ours")

		// It stands again, and is handed the leadership: its own key goes, and
		// what tells of the handover says by which it leads.
		created = enqueue()
		gone, err := c.Watch(w.Context(), etcd.Key(key), etcd.DeletesOnly())
		require.NoError(w, err)
		defer gone.Close()
		require.NoError(w, term.Transfer(w.Context(), w.waiting(stand(w.Session()), "foreign")))
		require.True(w, obs.sees(election.Elected, "foreign").Transferred)
		_, err = gone.Next(w.Context())
		require.NoError(w, err)
		got, err := c.Get(w.Context(), etcd.Key(prefix+"handover"))
		require.NoError(w, err)
		kv, ok := got.First()
		require.True(w, ok)
		require.Equal(w, l.ID, kv.Lease)
		var handover struct {
			Key     string
			Created int64
			Heir    struct {
				Key     string
				Created int64
			}
		}
		require.NoError(w, json.Unmarshal(kv.Value, &handover))
		require.Equal(w, key, handover.Heir.Key)
		require.Equal(w, created, handover.Heir.Created)
		token := kv.ModRevision
		require.Greater(w, token, term.Token())
		guard = etcd.AllOf(etcd.IfCreateRevision(etcd.Key(handover.Key), etcd.Equal, handover.Created),
			etcd.IfLease(etcd.Key(handover.Key), etcd.Equal, l.ID), etcd.IfModRevision(etcd.Key(prefix+"handover"), etcd.Less, token+1))
		require.True(w, w.Guarded(c, guard))

		// Who comes next waits for that key, and leads when its lease is gone.
		next := w.start(w.Context(), stand(w.Session()), "next")
		w.waits(next)
		require.NoError(w, c.Revoke(w.Context(), l.ID))
		nextTerm := w.leads(next)
		require.Greater(w, nextTerm.Token(), token)
		require.False(w, w.Guarded(w.Client(), guard))
		obs.sees(election.Elected, "next")
		w.resign(nextTerm)
		obs.sees(election.Vacant, "")
		require.Empty(w, w.line())
	})
}
