package linearizability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/etcd"
)

// A workload is one history in the making.
type workload struct {
	clients    []*etcd.Client
	log        *etcd.Client // reads the log of events; nil for the first of the clients
	goroutines int          // a client
	calls      int          // a goroutine
	seed       uint64
	patience   time.Duration // of a caller
}

var rounds atomic.Int64

// run makes the calls and gives the history. An error is one that tells
// neither that the call was applied nor that it was not.
func (l workload) run(ctx context.Context) (*history, error) {
	h := newHistory()
	prefix := fmt.Sprintf("r%d/", rounds.Add(1))
	var (
		wg     sync.WaitGroup
		failed error
		once   sync.Once
		values atomic.Int64
	)
	log := l.log
	if log == nil {
		log = l.clients[0]
	}
	events, err := log.Watch(ctx, etcd.Prefix(prefix))
	if err != nil {
		return nil, err
	}
	defer events.Close()
	for i, c := range l.clients {
		w := &caller{c, prefix, h.see}
		for g := range l.goroutines {
			id := i*l.goroutines + g
			r := rand.New(rand.NewPCG(l.seed, uint64(id)))
			wg.Go(func() {
				for range l.calls {
					t := randomTxn(r, func() int { return int(values.Add(1)) })
					cctx, cancel := context.WithTimeout(ctx, l.patience)
					call := h.now()
					o, err := w.do(cctx, &t)
					ret := h.now()
					cancel()
					switch {
					case err != nil:
						once.Do(func() { failed = err })
						return
					case o == nil || o.Unknown && t.reads():
						// Nothing was applied, and nothing was told.
					default:
						h.add(id, t, o, call, ret)
					}
				}
			})
		}
	}
	wg.Wait()
	if failed != nil {
		return h, failed
	}
	return h, (&caller{log, prefix, h.see}).readLog(ctx, events, h)
}

// reads reports whether t changes nothing.
func (t *txn) reads() bool {
	for _, ps := range [][]op{t.Then, t.Else} {
		for _, p := range ps {
			if p.Kind != get && p.Kind != getAll && (p.Kind != nest || !p.Txn.reads()) {
				return false
			}
		}
	}
	return true
}

// randomTxn makes a call. Every value is written once, so that a read tells
// which write it saw.
func randomTxn(r *rand.Rand, value func() int) txn {
	k := r.IntN(keys)
	one := func(p op) txn { return txn{Then: []op{p}} }
	switch n := r.IntN(100); {
	case n < 25:
		return one(op{Kind: get, Key: k})
	case n < 32:
		return one(op{Kind: getAll, Prev: r.IntN(2) == 0})
	case n < 50:
		return one(op{Kind: put, Key: k, Value: value(), Prev: r.IntN(2) == 0})
	case n < 58:
		return one(op{Kind: del, Key: k, Prev: r.IntN(2) == 0})
	case n < 60:
		return one(op{Kind: delAll})
	case n < 72: // as a lock is taken, or a record created
		return txn{If: []cond{{Key: k, Value: -1}}, Then: []op{{Kind: put, Key: k, Value: value()}}, Else: []op{{Kind: get, Key: k}}}
	case n < 84: // write skew, where it is let
		other := (k + 1 + r.IntN(keys-1)) % keys
		return txn{If: []cond{{Key: other, Value: -1}}, Then: []op{{Kind: put, Key: k, Value: value()}}, Else: []op{{Kind: del, Key: other, Prev: true}}}
	case n < 92: // compare and set
		return txn{If: []cond{{Key: k, Value: 1 + r.IntN(2), Version: true}}, Then: []op{{Kind: put, Key: k, Value: value(), Prev: true}, {Kind: getAll}}, Else: []op{{Kind: getAll}}}
	}
	other := (k + 1) % keys
	inner := txn{If: []cond{{Key: other, Value: -1}}, Then: []op{{Kind: put, Key: other, Value: value()}, {Kind: get, Key: k}}, Else: []op{{Kind: getAll}}}
	return txn{Then: []op{{Kind: put, Key: k, Value: value()}, {Kind: nest, Txn: &inner}, {Kind: getAll}}}
}
