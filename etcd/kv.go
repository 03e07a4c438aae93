package etcd

import (
	"context"
	"errors"

	"github.com/quorate/quorate/internal/jsonwire"
)

// Get reads the keys of set. Unless Serializable is given the result is
// linearizable: it shows every write that had been acknowledged when Get was
// called. Reads are tried again at other members until ctx or
// Config.RetryTimeout ends.
func (c *Client) Get(ctx context.Context, set KeySet, opts ...GetOption) (*GetResult, error) {
	r, err := c.exec(ctx, Get(set, opts...), txnOptions{})
	return r.Get, err
}

// Put writes value under key. On an error that answers ErrUnknownOutcome the
// value may have been written, or may be written later; on any other error it
// was not and will not be.
func (c *Client) Put(ctx context.Context, key string, value []byte, opts ...PutOption) (*PutResult, error) {
	r, err := c.exec(ctx, Put(key, value, opts...), txnOptions{})
	return r.Put, err
}

// Delete removes the keys of set. Deleting what is not there is no error.
// Outcomes are as of Put.
func (c *Client) Delete(ctx context.Context, set KeySet, opts ...DeleteOption) (*DeleteResult, error) {
	r, err := c.exec(ctx, Delete(set, opts...), txnOptions{})
	return r.Delete, err
}

// Txn carries out t. That If did not hold is no error: see
// TxnResult.Succeeded. Outcomes are as of Put.
func (c *Client) Txn(ctx context.Context, t Txn, opts ...TxnOption) (*TxnResult, error) {
	var o txnOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applyTxn(&o)
		}
	}
	r, err := c.exec(ctx, Nest(t), o)
	return r.Txn, err
}

// Compact discards what keys held before revision; reads and watches of older
// revisions then give ErrCompacted. With physical it returns only when the
// space is free for new data. A revision that is compacted already gives
// ErrCompacted, one to come ErrFutureRevision.
func (c *Client) Compact(ctx context.Context, revision int64, physical bool) error {
	on := "at revision " + itoa(revision)
	if revision <= 0 {
		return invalid("compact", on, errors.New("the revision must be positive"))
	}
	f := object(nil)
	f.int("revision", revision)
	f.flag("physical", physical)
	r := &request{op: "compact", on: on, path: "/v3/kv/compaction", body: f.end(), mode: modeWrite}
	if physical {
		r.timeout = -1 // as long as it takes: ctx bounds it
	}
	return c.do(ctx, r, func(rd *jsonwire.Reader) error {
		var h Header
		decoder{Reader: rd}.headerOf(&h)
		if rd.Err() != nil {
			return rd.Err()
		}
		return h.check()
	})
}
