package etcd_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// A crowd makes calls that have to wait for each other: it keeps every place
// of a client's group commit busy until leave is called.
type crowd struct {
	t       *etcd.World
	ctx     context.Context
	srv     *etcdtest.Server
	c       *etcd.Client
	busy    chan struct{}
	wg      sync.WaitGroup
	mu      sync.Mutex
	batches []etcd.BatchInfo
}

// newCrowd makes a server, a client and the crowd before it.
func newCrowd(t *etcd.World, opts []etcdtest.Option, change ...func(*etcd.Config)) *crowd {
	w := &crowd{t: t, ctx: context.Background(), srv: t.Start(opts...)}
	w.c = newClient(t, w.srv, append(change, func(cfg *etcd.Config) {
		cfg.Hooks.Batch = func(i etcd.BatchInfo) { w.mu.Lock(); w.batches = append(w.batches, i); w.mu.Unlock() }
	})...)
	w.fill()
	return w
}

// fill takes all places.
func (w *crowd) fill() {
	w.busy = make(chan struct{})
	fault := w.srv.Inject(etcdtest.Fault{
		Match:     func(r *etcdtest.Request) bool { return strings.HasPrefix(r.Key(), "busy/") },
		HoldReply: w.busy,
		Times:     etcd.WritesUnderWay + etcd.ReadsUnderWay,
	})
	for i := range etcd.WritesUnderWay {
		w.go_(func() { _, err := w.c.Put(w.ctx, fmt.Sprint("busy/", i), nil); require.NoError(w.t, err) })
	}
	for i := range etcd.ReadsUnderWay {
		w.go_(func() { _, err := w.c.Get(w.ctx, etcd.Key(fmt.Sprint("busy/", i))); require.NoError(w.t, err) })
	}
	w.t.Settle()
	require.Equal(w.t, etcd.WritesUnderWay+etcd.ReadsUnderWay, fault.Hits())
}

func (w *crowd) go_(f func()) { w.wg.Go(f) }

// call makes a call and returns when it waits.
func (w *crowd) call(f func()) {
	w.wg.Go(f)
	synctest.Wait()
}

// leave lets everybody go and returns when all calls have returned.
func (w *crowd) leave() {
	close(w.busy)
	w.wg.Wait()
	w.t.Settle() // what is left of their requests
}

// sizes gives how many calls each batch held.
func (w *crowd) sizes() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	var n []int
	for _, b := range w.batches {
		n = append(n, b.Calls)
	}
	return n
}

// put makes a put that waits, and gives where its outcome will be.
func (w *crowd) put(key, value string) *outcome {
	o := &outcome{}
	w.call(func() {
		r, err := w.c.Put(w.ctx, key, []byte(value))
		o.err = err
		if err == nil {
			o.rev = r.Header.Revision
		}
	})
	return o
}

// txn makes a transaction that waits, and gives where its outcome will be.
func (w *crowd) txn(t etcd.Txn, opts ...etcd.TxnOption) *outcome {
	o := &outcome{}
	w.call(func() {
		o.txn, o.err = w.c.Txn(w.ctx, t, opts...)
		if o.err == nil {
			o.rev = o.txn.Header.Revision
		}
	})
	return o
}

// An outcome is what became of a call.
type outcome struct {
	rev int64
	txn *etcd.TxnResult
	err error
}
