package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

// unruly has requests overtake one another on their way, and replies on theirs,
// and now and then lose one.
func (s *storm) unruly(srv *etcdtest.Server, latency time.Duration) {
	one := func(in int) func(*etcdtest.Request) bool {
		return func(r *etcdtest.Request) bool { return strings.HasPrefix(r.Path, "/v3/kv/") && s.n(in) == 0 }
	}
	srv.Inject(etcdtest.Fault{Match: one(4), Delay: 5 * latency})
	srv.Inject(etcdtest.Fault{Match: one(4), DelayReply: 5 * latency})
	srv.Inject(etcdtest.Fault{Match: one(9), Delay: 2 * latency, DelayReply: 2 * latency})
	srv.Inject(etcdtest.Fault{Match: one(40), LoseReply: true})
	srv.Inject(etcdtest.Fault{Match: one(40), LoseRequest: true})
	srv.Inject(etcdtest.Fault{Match: one(40), Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}})
}

// Each caller counts keys up by comparing them with what it read, so that
// nothing may be lost, done twice or read from the past without showing; and
// compares with them keys that others count.
func TestCallsThatShareRequestsAreEachCarriedOutOnceWhateverOvertakesWhat(t *testing.T) {
	storms(t, 24, func(t *World, some *storm) {
		const callers, rounds = 40, 12
		srv := t.Start(etcdtest.WithMembers(2))
		some.unruly(srv, t.Latency)
		var mu sync.Mutex
		shared := 0
		c := newTestClient(t, srv, func(cfg *Config) {
			cfg.Hooks.Batch = func(i BatchInfo) { mu.Lock(); shared += i.Calls; mu.Unlock() }
		})
		tally := &tally{}
		var all sync.WaitGroup
		for g := range callers {
			all.Go(func() {
				for range rounds {
					ctx, cancel := context.WithTimeout(t.Context(), 4*t.Latency+some.upTo(60*t.Latency))
					tally.count(ctx, t, c, some.n(tallied), fmt.Sprint("mine/", g))
					cancel()
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute) // what is still on its way
		tally.check(t, srv)
		require.Positive(t, shared)
	})
}

const tallied = 5

// A tally is what callers know of the keys that they count.
type tally struct {
	mu       sync.Mutex
	done     map[string]int64 // increments acknowledged
	unknown  map[string]int64 // those of which nobody knows
	compared []comparison
}

// A comparison was found true by what was committed at a revision.
type comparison struct {
	key      string
	version  int64
	revision int64
}

func (y *tally) acknowledged(key string) int64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.done[key]
}

func (y *tally) note(key string, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.done == nil {
		y.done, y.unknown = map[string]int64{}, map[string]int64{}
	}
	switch {
	case err == nil:
		y.done[key]++
	case errors.Is(err, ErrUnknownOutcome):
		y.unknown[key]++
	}
}

// count counts the k-th key up by one if the next one is as it was read, and
// then, whatever came of that, a key of the caller's.
func (y *tally) count(ctx context.Context, t *World, c *Client, k int, mine string) {
	key, beside := fmt.Sprint("k/", k), fmt.Sprint("k/", (k+1)%tallied)
	versionOf := func(key string) (int64, bool) {
		least := y.acknowledged(key)
		r, err := c.Get(ctx, Key(key))
		if err != nil {
			require.NotErrorIs(t, err, ErrUnknownOutcome, "a read changes nothing")
			return 0, false
		}
		kv, _ := r.First()
		require.GreaterOrEqual(t, kv.Version, least, "a read shows what was acknowledged before it was asked for")
		return kv.Version, true
	}
	own, ok := versionOf(key)
	other, ok2 := versionOf(beside)
	if !ok || !ok2 {
		return
	}
	w, err := c.Txn(ctx, Txn{
		If:   []Cmp{IfVersion(Key(key), Equal, own), IfVersion(Key(beside), Equal, other)},
		Then: []Op{Put(key, nil), Get(Key(key))},
		Else: []Op{Get(Key(key)), Get(Key(beside))},
	})
	switch {
	case err != nil:
		require.True(t, SafeToRetry(err) || errors.Is(err, ErrUnknownOutcome), "%v", err)
		y.note(key, err)
	case w.Succeeded:
		y.note(key, nil)
		now, _ := w.Results[1].Get.First()
		require.Equal(t, own+1, now.Version)
		require.Equal(t, w.Header.Revision, now.ModRevision)
		y.mu.Lock()
		y.compared = append(y.compared, comparison{beside, other, w.Header.Revision})
		y.mu.Unlock()
	default:
		a, _ := w.Results[0].Get.First()
		b, _ := w.Results[1].Get.First()
		require.Greater(t, a.Version+b.Version, own+other, "it was refused for a reason")
	}
	_, err = c.Put(ctx, mine, nil)
	y.note(mine, err)
}

// check compares what was told with what happened.
func (y *tally) check(t *World, srv *etcdtest.Server) {
	for _, kv := range srv.KeyValues("") {
		require.GreaterOrEqual(t, kv.Version, y.done[kv.Key], "nothing acknowledged is lost: %s", kv.Key)
		require.LessOrEqual(t, kv.Version, y.done[kv.Key]+y.unknown[kv.Key], "nothing is done twice, or after it was said not to be: %s", kv.Key)
		delete(y.done, kv.Key)
	}
	require.Empty(t, y.done, "lost")
	for _, was := range y.compared {
		var version int64
		for _, ev := range srv.Events() {
			if ev.KV.Key == was.key && ev.Revision <= was.revision {
				version = ev.KV.Version
			}
		}
		require.Equal(t, was.version, version, "what the commit at %d compared of %s", was.revision, was.key)
	}
}
