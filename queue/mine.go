package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// wasMine reports whether b is what moved the tail on from what b compared. The
// tail has moved since; now is how it is.
//
// The tail tells the last batch of each of the last producers. Where too many
// others have come since, the value that followed the one compared is looked up
// in the tail's history, by its version.
func (q *core) wasMine(ctx context.Context, b *batch, now cursorKV) (bool, error) {
	want := b.next.By[0]
	for _, e := range now.By {
		if e == want && !mutant.QueueForgetsBatches {
			return true, nil
		}
		if isOf(e, q.producer) { // another batch of mine: it would stand there instead
			return false, nil
		}
	}
	if len(now.By) < producers {
		return false, nil // nobody was forgotten
	}
	lo, hi := b.on.mod, now.mod // version at lo: b.on.version; at hi: now.version
	for b.on.version+1 <= now.version {
		mid := lo + (hi-lo)/2
		if mid == lo {
			mid = hi
		}
		res, err := q.c.Get(ctx, etcd.Key(q.keys.tail()), etcd.WithRevision(mid))
		if errors.Is(err, etcd.ErrCompacted) {
			return false, &etcd.Error{Op: "resolve", On: q.keys.tail(), Err: fmt.Errorf("the batch's reply was lost, and what came of it is compacted: %w", err), Unknown: true}
		}
		if err != nil {
			return false, err
		}
		kv, there := res.First()
		c, err := readCursor(q.keys.tail(), now.Epoch, kv, there, nil)
		if err != nil {
			return false, err
		}
		switch {
		case c.version == b.on.version+1:
			return len(c.By) > 0 && c.By[0] == want, nil
		case c.version <= b.on.version:
			lo = mid
		case mid == hi: // nothing is between them
			lo = hi
		default:
			hi = mid
		}
		if hi == lo {
			break
		}
	}
	return false, damaged(q.keys.tail(), "has no history between revisions %d and %d", b.on.mod, now.mod)
}
