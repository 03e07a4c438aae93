package etcd

import (
	"context"
	"errors"
	"iter"
)

// A ListOption changes what List reads.
type ListOption interface{ applyList(*listOptions) }

type listOptions struct {
	page     int64
	keysOnly bool
	revision int64
}

type listOption func(*listOptions)

func (f listOption) applyList(o *listOptions) { f(o) }

// defaultPage is how many keys List reads at a time.
const defaultPage = 500

// PageSize sets how many keys List reads at a time. Default 500.
func PageSize(n int) ListOption { return listOption(func(o *listOptions) { o.page = int64(n) }) }

// ListKeysOnly leaves the values out.
func ListKeysOnly() ListOption { return listOption(func(o *listOptions) { o.keysOnly = true }) }

// ListAt lists the keys as of revision instead of the present.
func ListAt(revision int64) ListOption {
	return listOption(func(o *listOptions) { o.revision = revision })
}

// List gives the keys of set in order, reading them page by page, all as of
// one revision, so that the listing is consistent however long it takes. Pages
// become smaller where they would exceed Config.MaxReplyBytes. If
// that revision is compacted on the way, the last step gives ErrCompacted; where
// a server gives a page that gets no further, or other keys than were asked for,
// it gives ErrBadReply. An error is given once and ends the sequence.
func (c *Client) List(ctx context.Context, set KeySet, opts ...ListOption) iter.Seq2[KV, error] {
	o := listOptions{page: defaultPage}
	for _, opt := range opts {
		if opt != nil {
			opt.applyList(&o)
		}
	}
	return func(yield func(KV, error) bool) {
		if err := set.check(); err != nil {
			yield(KV{}, invalid("list", set.String(), err))
			return
		}
		if o.page <= 0 || o.revision < 0 {
			yield(KV{}, invalid("list", set.String(), errors.New("page size or revision out of range")))
			return
		}
		rest, rev, page := set, o.revision, o.page
		for last := ""; ; {
			get := []GetOption{WithLimit(page), WithRevision(rev)}
			if o.keysOnly {
				get = append(get, KeysOnly())
			}
			r, err := c.Get(ctx, rest, get...)
			if errors.Is(err, errReplyTooLarge) && page > 1 {
				page = max(page/8, 1) // the values are large: take fewer at a time
				continue
			}
			if err != nil {
				yield(KV{}, err)
				return
			}
			if r.More && len(r.KVs) == 0 {
				yield(KV{}, badPage(set, last, "is empty, and there is to be more"))
				return
			}
			asked := rest.span()
			for i, kv := range r.KVs {
				switch here := asked.contains(kv.Key); {
				case i > 0 && (!here || kv.Key <= r.KVs[i-1].Key):
					yield(KV{}, badPage(set, last, "holds "+quoteKey(kv.Key)+" behind "+quoteKey(r.KVs[i-1].Key)))
					return
				case !here:
					yield(KV{}, badPage(set, last, "holds "+quoteKey(kv.Key)))
					return
				}
				if !yield(kv, nil) {
					return
				}
			}
			if !r.More {
				return
			}
			if rev == 0 {
				rev = r.Header.Revision
			}
			var more bool
			last = r.KVs[len(r.KVs)-1].Key
			if rest, more = set.after(last); !more {
				return
			}
		}
	}
}

// badPage is the error of a page that is not what follows on the key last, or
// not the first where that is empty: whoever went on from it could do so for
// ever, and whoever took it for the end could miss keys.
func badPage(set KeySet, last, how string) error {
	page := "the first page"
	if last != "" {
		page = "the page after " + quoteKey(last)
	}
	return &Error{Op: "list", On: set.String(), Kind: ErrBadReply, Message: page + " " + how}
}

// after gives what of s sorts behind the key k, and whether that can be
// anything.
func (s KeySet) after(k string) (KeySet, bool) {
	next := k + "\x00"
	sp := s.span()
	if sp.unbounded {
		return From(next), true
	}
	return Range(next, sp.hi), next < sp.hi
}
