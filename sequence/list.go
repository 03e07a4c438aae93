package sequence

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/names"
)

// List gives every sequence below Root, in the order of their keys, all as of
// one revision. One that was deleted or can't be read is given with what is
// wrong in Info.Err. An error is yielded once and ends the listing.
func List(ctx context.Context, c *etcd.Client) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if c == nil {
			yield(Info{}, failed("list", Root, invalid("no client")))
			return
		}
		unmarked := make(map[string]bool) // seen, and their marks not yet
		for kv, err := range c.List(ctx, etcd.Prefix(Root)) {
			if err != nil {
				yield(Info{}, failed("list", Root, err))
				return
			}
			segment, isMark := strings.CutSuffix(strings.TrimPrefix(kv.Key, Root), "/mark")
			if isMark && unmarked[segment] {
				delete(unmarked, segment)
				continue
			}
			name, err := names.Unescape(segment)
			i := info(name, kv)
			switch {
			case err != nil:
				i = Info{Key: kv.Key, Revision: kv.ModRevision, Err: fmt.Errorf("%w: %.200q: it is no key of a sequence", ErrForeign, kv.Key)}
			case isMark:
				i = Info{Name: name, Key: Root + segment, Revision: kv.ModRevision, Err: fmt.Errorf("%w: key %.200q is gone", ErrDeleted, Root+segment)}
			default:
				unmarked[segment] = true
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}
