package sequence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// A counter is a process's side of one sequence: all Sequences of one client
// that are made alike share it (see registry.go). Whoever has the turn (see
// turns.go) may use what stands below.
type counter struct {
	client *etcd.Client
	key    string
	opts   agreement
	id     string // of this counter alone

	turns turns

	// Of whoever has the turn.
	known known
	seen  bool // the sequence was there once
	nonce uint64
	pace  pace.Rows
}

// An agreement is what a counter expects of its sequence.
type agreement struct {
	cfg       Config
	asFound   bool
	mustExist bool
}

// known is what is known of the sequence. It may be out of date: every change
// compares its mod revision.
type known struct {
	state state
	mod   int64 // the key's mod revision; 0: nothing is known
	at    int64 // a revision of the store, not before mod, at which it still was so
}

func newCounter(c *etcd.Client, key string, opts agreement) *counter {
	return &counter{client: c, key: key, opts: opts, id: rand.Text(), pace: pace.Rows{Length: rowLength}}
}

func markKey(key string) string { return key + "/mark" }

// nextNonce gives what no other change carries.
func (c *counter) nextNonce() string {
	c.nonce++
	return c.id + "." + strconv.FormatUint(c.nonce, 36)
}

// rowLength is how many commits a process makes in a row where others wait.
const rowLength = 48

// ready waits until it is time to send something, and finds out where the
// sequence is.
func (c *counter) ready(ctx context.Context) error {
	if c.known.mod != 0 {
		if err := c.pace.Ready(ctx, c.confirm); err != nil {
			return err
		}
	}
	return c.load(ctx)
}

// load finds out where the sequence is, unless that is known, and creates it
// where it is missing and may be created.
func (c *counter) load(ctx context.Context) error {
	if c.known.mod != 0 {
		return nil
	}
	r, err := c.client.Get(ctx, etcd.Key(c.key))
	if err != nil {
		return err
	}
	if kv, ok := r.First(); ok {
		return c.adopt(kv, r.Header.Revision)
	}
	return c.create(ctx)
}

// adopt takes over what was read of the key at a revision of the store.
func (c *counter) adopt(kv etcd.KV, at int64) error {
	c.known = known{}
	s, _, err := decode(kv)
	if err != nil {
		return err
	}
	if !c.opts.asFound && s.cfg != c.opts.cfg {
		return &MismatchError{Key: c.key, Stored: s.cfg, Wanted: c.opts.cfg}
	}
	c.seen = true
	c.known = known{state: s, mod: kv.ModRevision, at: max(at, kv.ModRevision)}
	return nil
}

// create creates the sequence if there never was one; otherwise it takes over
// what is there. Repeating it does no harm.
func (c *counter) create(ctx context.Context) error {
	switch {
	case c.seen:
		return c.missing(true)
	case c.opts.mustExist:
		r, err := c.client.Get(ctx, etcd.Key(markKey(c.key)))
		if err != nil {
			return err
		}
		return c.missing(len(r.KVs) > 0)
	}
	s := state{cfg: c.opts.cfg}
	t := etcd.Txn{
		If: []etcd.Cmp{etcd.Missing(etcd.Key(c.key)), etcd.Missing(etcd.Key(markKey(c.key)))},
		Then: []etcd.Op{
			etcd.Put(c.key, encode(s, c.nextNonce())),
			etcd.Put(markKey(c.key), encodeMark(c.id)),
		},
		Else: []etcd.Op{etcd.Get(etcd.Key(c.key)), etcd.Get(etcd.Key(markKey(c.key)))},
	}
	if mutant.SequenceStartsAgain {
		t.If = t.If[:1]
	}
	var again pace.Retries
	for {
		res, err := c.client.Txn(ctx, t)
		switch {
		case err == nil && res.Succeeded:
			c.seen = true
			c.known = known{state: s, mod: res.Header.Revision, at: res.Header.Revision}
			return nil
		case err == nil:
			if kv, ok := res.Results[0].Get.First(); ok {
				return c.adopt(kv, res.Header.Revision)
			}
			return c.missing(true)
		case !transient(err) || ctx.Err() != nil:
			return err
		}
		if werr := again.Wait(ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// missing is the error for a sequence that is not there.
func (c *counter) missing(was bool) error {
	c.known = known{}
	if was {
		return fmt.Errorf("%w: key %.200q is gone", ErrDeleted, c.key)
	}
	return fmt.Errorf("%w: key %.200q", ErrNotFound, c.key)
}
