package election

import (
	"context"
	"iter"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// All gives the state of every election below Root in which somebody stands, in
// the order of their keys, all as of one revision, which is not told. An error
// is yielded once and ends it.
func All(ctx context.Context, c *etcd.Client) iter.Seq2[*State, error] {
	return func(yield func(*State, error) bool) {
		for g, err := range line.Groups(ctx, c, Root) {
			if err != nil {
				yield(nil, failed("list", g.Name, err))
				return
			}
			s := state(g.Name, g.Prefix, g.KVs, false, 0)
			if s.Leader != nil && !yield(s, nil) {
				return
			}
		}
	}
}
