package queue

import (
	"context"

	"github.com/quorate/quorate/etcd"
)

const (
	// readyPage is how many ready jobs are removed in one commit.
	readyPage = 60
	// readyPasses is how often it is gone through what is ready, where jobs were
	// brought into the log meanwhile.
	readyPasses = 3
)

// purgeSelected removes ready jobs that are selected where they stand, many in a
// commit. What consumers claim meanwhile is theirs.
func (q *core) purgeSelected(ctx context.Context, sel selector) (int, error) {
	done := 0
	for range readyPasses {
		r := readyRemoval{q: q}
		err := q.selected(ctx, Ready, sel, func(j Job) error {
			if r.page = append(r.page, j); len(r.page) < readyPage {
				return nil
			}
			return r.send(ctx)
		})
		if err == nil {
			err = r.send(ctx)
		}
		if done += r.done; err != nil || !r.moved {
			return done, err
		}
	}
	return done, nil
}

// A readyRemoval removes ready jobs page by page.
type readyRemoval struct {
	q     *core
	s     *sight // tells what is claimed; nil: to be looked at
	page  []Job
	done  int
	moved bool // some were brought into the log meanwhile
}

// send removes the jobs of the page that nobody has claimed. As in remove, what a
// claim of them would change is compared; where it has changed, that is looked at
// anew, and not the jobs, unless an attempt has had no answer: it can not arrive
// any more then, but may have.
func (r *readyRemoval) send(ctx context.Context) error {
	page := r.page
	r.page = nil
	return again(ctx, func() (err error) {
		for len(page) > 0 {
			if r.s == nil {
				if r.s, err = r.q.look(ctx); err != nil {
					return err
				}
			}
			var t etcd.Txn
			if t, page = r.compose(page); len(page) == 0 {
				return nil
			}
			var try attempts
			res, err, _ := try.send(ctx, r.q.c, t)
			if err != nil {
				return err
			}
			if res.Succeeded {
				return r.count(ctx, page, res, &try)
			}
			if try.doubt() {
				if page, err = r.resolve(ctx, page, try.err); err != nil {
					return err
				}
			}
			kv, there := res.Results[0].Get.First()
			head, err := r.q.sawHead(kv, there)
			if err != nil {
				return err
			}
			if head.mod == r.s.head.mod { // a record without an owner has changed
				r.s = nil
				return errMoved
			}
			r.s.head = head // as it does all the time in a queue that is busy
		}
		return nil
	})
}

// compose makes the transaction that removes those of the page that nobody has
// claimed, and gives these.
func (r *readyRemoval) compose(page []Job) (t etcd.Txn, left []Job) {
	head := etcd.Key(r.q.keys.head())
	t.Else = []etcd.Op{etcd.Get(head)}
	compared := map[string]bool{}
	compare := func(key string, mod int64) {
		if !compared[key] {
			compared[key] = true
			t.If = append(t.If, etcd.IfModRevision(etcd.Key(key), etcd.Equal, mod))
		}
	}
	for _, j := range page {
		if p, pos, inLog := r.q.keys.position(j.key); inLog {
			switch h, held := r.s.holder(p, pos); {
			case held && h.consumer != "":
				continue
			case held:
				compare(h.key, h.mod)
			case pos < r.s.head.Next[p]:
				continue
			default:
				compare(r.q.keys.head(), r.s.head.mod)
			}
		}
		t.Then = append(t.Then, r.q.exactly(&j))
		left = append(left, j)
	}
	return t, left
}

// count takes in which jobs of a page were there still.
func (r *readyRemoval) count(ctx context.Context, page []Job, res *etcd.TxnResult, try *attempts) error {
	var gone []Job
	for i, j := range page {
		_, _, inLog := r.q.keys.position(j.key)
		switch {
		case res.Results[i].Txn.Succeeded:
			r.done++
		case try.doubt():
			gone = append(gone, j)
		case !inLog:
			r.moved = true
		}
	}
	_, err := r.resolve(ctx, gone, try.err)
	return err
}

// resolve finds out which jobs were removed by an attempt without an answer, and
// gives those that are there still.
func (r *readyRemoval) resolve(ctx context.Context, page []Job, lost error) (left []Job, err error) {
	removed, left, moved, err := r.q.removed(ctx, page, lost)
	r.done += removed
	r.moved = r.moved || moved
	return left, err
}
