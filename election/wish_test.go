package election_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestRunFollowsAWishToHandOverWhenItsWorkHasStopped(t *testing.T) {
	bothWays(t, func(w *world) {
		client := w.Client()
		c := w.run(stand(w.Session()))
		s := c.begins()
		b := w.start(w.Context(), stand(w.Session()), "b")
		d := w.start(w.Context(), stand(w.Session()), "d")
		time.Sleep(time.Second)
		st, err := election.Look(w.Context(), client, name)
		require.NoError(w, err)
		require.NoError(w, election.Ask(w.Context(), client, name, *st.Leader, st.Candidates[1]))
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrAsked)
		time.Sleep(time.Minute)
		require.NoError(w, s.term.Err())
		w.waits(d)
		s.finish <- nil
		dTerm := w.leads(d)
		require.ErrorIs(w, <-c.stopped, election.ErrAsked)
		require.ErrorIs(w, s.term.Err(), election.ErrTransferred)
		w.resign(dTerm)
		w.resign(w.leads(b))
		s = c.begins() // it stood again, at the end of the line
		c.stop(errStop)
		s.finish <- nil
		<-c.done
		require.Empty(w, w.line())
	})
}

func TestRunDoesNotStopForAWishThatCantBeMet(t *testing.T) {
	bothWays(t, func(w *world) {
		client := w.Client()
		c := w.run(stand(w.Session()))
		s := c.begins()
		ctx, cancel := context.WithCancel(w.Context())
		b := w.start(ctx, stand(w.Session()), "b")
		time.Sleep(time.Second)
		st, err := election.Look(w.Context(), client, name)
		require.NoError(w, err)
		w.Srv.StallWatches() // the leader hears of it later
		require.NoError(w, election.Ask(w.Context(), client, name, *st.Leader, st.Candidates[0]))
		cancel()
		w.fails(b)
		w.Srv.ResumeWatches()
		time.Sleep(time.Minute)
		require.NoError(w, s.ctx.Err())
		// Of another program: that it hand over to itself.
		kv, _ := w.Srv.Get(st.Leader.Key)
		wish := fmt.Appendf(nil, `{"kind":"candidate","asked":{"to":{"key":%q,"created":%d}}}`, kv.Key, kv.CreateRevision)
		_, err = client.Put(w.Context(), kv.Key, wish, etcd.IgnoreLease())
		require.NoError(w, err)
		time.Sleep(time.Minute)
		require.NoError(w, s.ctx.Err())
		s.finish <- nil
		require.NoError(w, <-c.done)
	})
}

// Its one look-up of the candidate fails, and so do those after it for a while.
func TestRunRemembersAWishWhileItCantLookForTheCandidate(t *testing.T) {
	bothWays(t, func(w *world) {
		client := w.ClientAt(0)
		c := w.run(stand(w.At(1)))
		s := c.begins()
		b := w.start(w.Context(), stand(w.At(0)), "b")
		d := w.start(w.Context(), stand(w.At(0)), "d")
		time.Sleep(time.Second)
		st, err := election.Look(w.Context(), client, name)
		require.NoError(w, err)
		wanted := st.Candidates[0].Key
		in := w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/range", LoseRequest: true,
			Match: func(r *etcdtest.Request) bool { return r.Key() == wanted }})
		require.NoError(w, election.Ask(w.Context(), client, name, *st.Leader, st.Candidates[0]))
		time.Sleep(5 * time.Minute)
		require.Greater(w, in.Hits(), 1)
		require.NoError(w, s.ctx.Err(), "it is not known whether the wish can be met")
		in.Remove()
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrAsked)
		s.finish <- nil
		w.resign(w.leads(b))
		w.resign(w.leads(d))
		s = c.begins()
		c.stop(errStop)
		s.finish <- nil
		<-c.done
	}, three...)
}

// A newer wish takes the place of one that cannot be looked into.
func TestRunFollowsTheLatestWish(t *testing.T) {
	bothWays(t, func(w *world) {
		client := w.ClientAt(0)
		c := w.run(stand(w.At(1)))
		s := c.begins()
		b := w.start(w.Context(), stand(w.At(0)), "b")
		d := w.start(w.Context(), stand(w.At(0)), "d")
		time.Sleep(time.Second)
		ask := func(i int) string {
			st, err := election.Look(w.Context(), client, name)
			require.NoError(w, err)
			require.NoError(w, election.Ask(w.Context(), client, name, *st.Leader, st.Candidates[i]))
			return st.Candidates[i].Key
		}
		st, err := election.Look(w.Context(), client, name)
		require.NoError(w, err)
		unreadable := st.Candidates[0].Key
		w.Srv.Inject(etcdtest.Fault{Members: []int{1}, Path: "/v3/kv/range", LoseRequest: true,
			Match: func(r *etcdtest.Request) bool { return r.Key() == unreadable }})
		ask(0)
		time.Sleep(5 * time.Minute)
		require.NoError(w, s.ctx.Err())
		ask(1)
		require.ErrorIs(w, w.Ended(s.ctx), election.ErrAsked)
		s.finish <- nil
		w.resign(w.leads(d))
		w.resign(w.leads(b))
		s = c.begins()
		c.stop(errStop)
		s.finish <- nil
		<-c.done
	}, three...)
}

// Who has left since it was looked at cannot be asked for, nor made leader; nor can
// who stands there by now under the same key.
func TestAWishForACandidateThatHasLeftIsRefusedAndNotWrittenDown(t *testing.T) {
	bothWays(t, func(w *world) {
		client := w.Client()
		a := w.campaign(stand(w.Session()), "a")
		e := stand(w.Session())
		for _, again := range []bool{false, true} {
			ctx, cancel := context.WithCancel(w.Context())
			b := w.start(ctx, e, "b")
			st, err := election.Look(w.Context(), client, name)
			require.NoError(w, err)
			cancel()
			w.fails(b)
			if again {
				_, err := client.Put(w.Context(), st.Candidates[0].Key, []byte(`{"kind":"candidate"}`), etcd.WithLease(st.Candidates[0].Lease))
				require.NoError(w, err)
			}
			before, _ := w.Srv.Get(st.Leader.Key)
			require.ErrorIs(w, election.Ask(w.Context(), client, name, *st.Leader, st.Candidates[0]), election.ErrChanged)
			err = election.Depose(w.Context(), client, name, *st.Leader, st.Candidates[0])
			require.ErrorIs(w, err, election.ErrNoCandidate)
			now, _ := w.Srv.Get(st.Leader.Key)
			require.Equal(w, before.ModRevision, now.ModRevision)
			require.NoError(w, a.Err())
		}
		require.True(w, w.guarded(client, a))
		w.resign(a)
	})
}
