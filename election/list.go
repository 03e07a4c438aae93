package election

import (
	"context"
	"iter"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// All gives the state of every election below Root in which somebody stands, in
// the order of their keys, all as of one revision, which is not told. An error
// is yielded once and ends it.
func All(ctx context.Context, c *etcd.Client) iter.Seq2[*State, error] {
	return func(yield func(*State, error) bool) {
		const op = "list"
		var (
			segment string
			kvs     []etcd.KV
		)
		flush := func() bool {
			if len(kvs) == 0 {
				return true
			}
			name, err := names.Unescape(segment)
			if err != nil {
				yield(nil, failed(op, kvs[0].Key, err))
				return false
			}
			s := state(name, Root+segment+"/", kvs, false, 0)
			kvs = nil
			return s.Leader == nil || yield(s, nil)
		}
		for kv, err := range c.List(ctx, etcd.Prefix(Root)) {
			if err != nil {
				yield(nil, failed(op, Root, err))
				return
			}
			of, _, ok := strings.Cut(strings.TrimPrefix(kv.Key, Root), "/")
			if !ok {
				continue // not below any name
			}
			if of != segment {
				if !flush() {
					return
				}
				segment = of
			}
			kvs = append(kvs, kv)
		}
		flush()
	}
}
