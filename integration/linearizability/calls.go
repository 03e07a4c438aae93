package linearizability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/quorate/quorate/etcd"
)

// A caller makes the calls of a history through a client, below a prefix.
type caller struct {
	c      *etcd.Client
	prefix string
	see    func(value int, revision int64) // told of every value read
}

func (w *caller) key(i int) string   { return w.prefix + string(rune('a'+i)) }
func (w *caller) all() etcd.KeySet   { return etcd.Prefix(w.prefix) }
func encode(v int) []byte            { return fmt.Append(nil, v) }
func (w *caller) index(k string) int { return int(strings.TrimPrefix(k, w.prefix)[0] - 'a') }

// do makes the call that t describes: a single operation as itself, anything
// else as a transaction. It gives nil if nothing was applied.
func (w *caller) do(ctx context.Context, t *txn) (*outcome, error) {
	o, err := w.send(ctx, t)
	switch {
	case err == nil:
		return o, nil
	case errors.Is(err, etcd.ErrUnknownOutcome):
		return &outcome{Unknown: true}, nil
	case etcd.SafeToRetry(err):
		return nil, nil
	}
	return nil, err
}

func (w *caller) send(ctx context.Context, t *txn) (*outcome, error) {
	if len(t.If) == 0 && len(t.Then) == 1 && t.Then[0].Kind != nest {
		p := t.Then[0]
		switch p.Kind {
		case get, getAll:
			set, opts := etcd.Key(w.key(p.Key)), []etcd.GetOption(nil)
			if p.Kind == getAll {
				set = w.all()
				if p.Prev { // small enough to share a request
					opts = append(opts, etcd.WithLimit(keys))
				}
			}
			r, err := w.c.Get(ctx, set, opts...)
			if err != nil {
				return nil, err
			}
			return single(r.Header, w.result(p, etcd.OpResult{Get: r})), nil
		case put:
			r, err := w.c.Put(ctx, w.key(p.Key), encode(p.Value), prev[etcd.PutOption](p)...)
			if err != nil {
				return nil, err
			}
			return single(r.Header, w.result(p, etcd.OpResult{Put: r})), nil
		case del, delAll:
			set := etcd.Key(w.key(p.Key))
			if p.Kind == delAll {
				set = w.all()
			}
			r, err := w.c.Delete(ctx, set, prev[etcd.DeleteOption](p)...)
			if err != nil {
				return nil, err
			}
			return single(r.Header, w.result(p, etcd.OpResult{Delete: r})), nil
		}
	}
	r, err := w.c.Txn(ctx, w.txn(t))
	if err != nil {
		return nil, err
	}
	o := w.results(t, r)
	o.Revision = r.Header.Revision
	return o, nil
}

// single is the outcome of a call without conditions.
func single(h etcd.Header, r result) *outcome {
	return &outcome{Revision: h.Revision, Succeeded: true, Results: []result{r}}
}

// prev gives the option that asks for what was there before, if p wants it.
func prev[O any](p op) []O {
	if o, ok := any(etcd.WithPrev()).(O); ok && p.Prev {
		return []O{o}
	}
	return nil
}

// txn gives t as the client takes it.
func (w *caller) txn(t *txn) etcd.Txn {
	var x etcd.Txn
	for _, c := range t.If {
		k := etcd.Key(w.key(c.Key))
		switch {
		case c.Value < 0:
			x.If = append(x.If, etcd.Missing(k))
		case c.Version:
			x.If = append(x.If, etcd.IfVersion(k, etcd.Equal, int64(c.Value)))
		default:
			x.If = append(x.If, etcd.IfValue(k, etcd.Equal, encode(c.Value)))
		}
	}
	x.Then, x.Else = w.ops(t.Then), w.ops(t.Else)
	return x
}

func (w *caller) ops(ps []op) (out []etcd.Op) {
	for _, p := range ps {
		k := etcd.Key(w.key(p.Key))
		switch p.Kind {
		case get:
			out = append(out, etcd.Get(k))
		case getAll:
			out = append(out, etcd.Get(w.all()))
		case put:
			out = append(out, etcd.Put(w.key(p.Key), encode(p.Value), prev[etcd.PutOption](p)...))
		case del:
			out = append(out, etcd.Delete(k, prev[etcd.DeleteOption](p)...))
		case delAll:
			out = append(out, etcd.Delete(w.all()))
		case nest:
			out = append(out, etcd.Nest(w.txn(p.Txn)))
		}
	}
	return out
}

// results reads what a transaction gave back.
func (w *caller) results(t *txn, r *etcd.TxnResult) *outcome {
	o := &outcome{Succeeded: r.Succeeded}
	ps := t.Then
	if !r.Succeeded {
		ps = t.Else
	}
	for i, p := range ps {
		o.Results = append(o.Results, w.result(p, r.Results[i]))
	}
	return o
}

func (w *caller) result(p op, r etcd.OpResult) (out result) {
	note := func(kvs ...etcd.KV) {
		for _, kv := range kvs {
			var v int
			if json.Unmarshal(kv.Value, &v) != nil {
				v = -1 // nobody wrote that
			}
			w.see(v, kv.ModRevision)
			out.Cells[w.index(kv.Key)] = cell{Value: v, Version: kv.Version}
		}
	}
	switch {
	case r.Get != nil:
		note(r.Get.KVs...)
	case r.Put != nil && r.Put.Prev != nil:
		note(*r.Put.Prev)
	case r.Delete != nil:
		note(r.Delete.Prev...)
		out.Deleted = r.Delete.Deleted
	case r.Txn != nil:
		out.Txn = w.results(p.Txn, r.Txn)
	}
	return out
}
