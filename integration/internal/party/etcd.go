package party

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

// Client makes a client that ends with the test.
func Client(t *testing.T, endpoints ...string) *etcd.Client {
	t.Helper()
	c, err := etcd.New(etcd.Config{Endpoints: endpoints})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// Session makes a session that ends with the test.
func Session(t *testing.T, c *etcd.Client, opts ...etcd.SessionOption) *etcd.Session {
	t.Helper()
	s, err := etcd.NewSession(t.Context(), c, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// InLine waits until n keys are below a prefix.
func InLine(t *testing.T, c *etcd.Client, prefix string, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		r, err := c.Get(ctx, etcd.Prefix(prefix), etcd.CountOnly())
		require.NoError(t, err)
		if r.Count == n {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d in line instead of %d", r.Count, n)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// RunsOut tells when a lease that begins now is seen to have run out: one that
// began before it and is as long cannot run out later, by the same server.
func RunsOut(t *testing.T, c *etcd.Client, ttl time.Duration) <-chan time.Time {
	t.Helper()
	l, err := c.Grant(t.Context(), ttl)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), "runs out", nil, etcd.WithLease(l.ID))
	require.NoError(t, err)
	w, err := c.Watch(t.Context(), etcd.Key("runs out"), etcd.DeletesOnly())
	require.NoError(t, err)
	at := make(chan time.Time, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(at)
		if _, err := w.Next(t.Context()); err == nil {
			at <- time.Now()
		}
	})
	t.Cleanup(wg.Wait)
	return at
}

// protected is the key that is written under a guard.
const protected = "protected"

// ErrRefused is the error of a Write under a guard that does not hold.
var ErrRefused = errors.New("refused")

// Write puts the token of a lock or term to a key under its guard.
func Write(ctx context.Context, c *etcd.Client, of interface {
	Guard() etcd.Cmp
	Token() int64
}) error {
	r, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{of.Guard()},
		Then: []etcd.Op{etcd.Put(protected, []byte(strconv.FormatInt(of.Token(), 10)))},
	})
	if err == nil && !r.Succeeded {
		err = ErrRefused
	}
	return err
}

// Written gives the tokens of all Writes so far, in the order of their commits.
func Written(t *testing.T, c *etcd.Client) []int64 {
	t.Helper()
	r, err := c.Get(t.Context(), etcd.Key(protected))
	require.NoError(t, err)
	var tokens []int64
	for _, ev := range History(t, c, etcd.Key(protected), r.Header.Revision) {
		token, err := strconv.ParseInt(string(ev.KV.Value), 10, 64)
		require.NoError(t, err)
		tokens = append(tokens, token)
	}
	return tokens
}

// History gives all changes of the keys of set up to a revision.
func History(t *testing.T, c *etcd.Client, set etcd.KeySet, until int64) []etcd.Event {
	t.Helper()
	w, err := c.Watch(t.Context(), set, etcd.FromRevision(1), etcd.WithProgress())
	require.NoError(t, err)
	defer w.Close()
	var events []etcd.Event
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		evs, err := w.Next(ctx)
		cancel()
		require.NoError(t, err)
		for _, ev := range evs.Events {
			if ev.KV.ModRevision <= until {
				events = append(events, ev)
			}
		}
		if evs.Revision >= until {
			return events
		}
	}
}
