package line

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// A Group is the keys of one line, as they were listed.
type Group struct {
	Name   string // of the lock or election
	Prefix string // what the keys start with
	KVs    []etcd.KV
}

// ErrNoClient: a nil client was given.
var ErrNoClient = errors.New("no client")

// Groups lists the lines below root, in the order of their keys, all as of one
// revision. An error is yielded once, with the key it is about, and ends it.
func Groups(ctx context.Context, c *etcd.Client, root string) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		if c == nil {
			yield(Group{Name: root}, ErrNoClient)
			return
		}
		var g Group
		flush := func() bool {
			if len(g.KVs) == 0 {
				return true
			}
			name, err := names.Unescape(strings.TrimSuffix(strings.TrimPrefix(g.Prefix, root), "/"))
			if err != nil {
				yield(Group{Name: g.KVs[0].Key}, err)
				return false
			}
			g.Name = name
			return yield(g, nil)
		}
		for kv, err := range c.List(ctx, etcd.Prefix(root)) {
			if err != nil {
				yield(Group{Name: root}, err)
				return
			}
			segment, _, ok := strings.Cut(strings.TrimPrefix(kv.Key, root), "/")
			if !ok {
				continue // not below any name
			}
			if prefix := root + segment + "/"; prefix != g.Prefix {
				if !flush() {
					return
				}
				g = Group{Prefix: prefix}
			}
			g.KVs = append(g.KVs, kv)
		}
		flush()
	}
}
