package sequence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// A change is one write of a sequence's key, which compares the mod revision
// that it rests on. It is repeated, as it is, until its outcome is known: it
// can be applied only once, and never again once the key has changed.
//
//	If   mod(key) == base
//	Then put(key), ..., get(mark)
//	Else get(key), get(mark), put(mark)
//
// The read of the mark tells the winner that others were refused since; see
// internal/pace.
type change struct {
	base  known
	to    state
	nonce string
	// aside is the nonce that the key gets where the change does nothing else
	// to it: NextIn, when the caller's own condition does not hold.
	aside string
	txn   etcd.Txn
	open  bool // an attempt may have been applied
}

// newChange makes the change to a state. Where the put stands among the writes
// is the caller's business if there is one.
func (c *counter) newChange(to state) *change {
	ch := &change{base: c.known, to: to, nonce: c.nextNonce()}
	return ch.do(c, etcd.Put(c.key, encode(to, ch.nonce)))
}

// do sets what the change does if it is not too late.
func (ch *change) do(c *counter, ops ...etcd.Op) *change {
	key, mark := etcd.Key(c.key), etcd.Key(markKey(c.key))
	ch.txn = etcd.Txn{
		If:   []etcd.Cmp{etcd.IfModRevision(key, etcd.Equal, ch.base.mod)},
		Then: append(ops, etcd.Get(mark)),
		Else: []etcd.Op{etcd.Get(key), etcd.Get(mark), etcd.Put(markKey(c.key), encodeMark(c.id))},
	}
	if mutant.SequenceLooseCompare {
		ch.txn.If = []etcd.Cmp{etcd.Exists(key)}
	}
	return ch
}

// verdict is what has become of a change.
type verdict uint8

const (
	failedChange verdict = iota // see the error; the change may be repeated if it is open
	applied
	tooLate // somebody else changed the key before
	untold  // the key has changed, and whether it was this change can't be found out
)

// outcome is a verdict and what is known beside it.
type outcome struct {
	verdict
	rev   int64           // applied: the revision of the commit
	nonce string          // applied: which nonce was written
	res   *etcd.TxnResult // applied: the answer; nil where it was lost
}

// carryOut carries out a change until its outcome is known, or ctx ends, or
// trying again does not help. Whoever calls it has the turn. Unless it gives an
// error, c.known is up to date afterwards.
//
// An error after which the change may have been applied is a doubt.
func (c *counter) carryOut(ctx context.Context, ch *change) (outcome, error) {
	var again pace.Retries
	for {
		begin := time.Now()
		res, err := c.client.Txn(ctx, ch.txn)
		switch {
		case err == nil && res.Succeeded:
			if mark := res.Results[len(res.Results)-1].Get; mark != nil {
				c.pace.Won(begin, c.rung(mark))
			}
			c.known = known{state: ch.to, mod: res.Header.Revision, at: res.Header.Revision}
			return outcome{verdict: applied, rev: res.Header.Revision, nonce: ch.nonce, res: res}, nil
		case err == nil:
			return c.refused(ctx, ch, res)
		case errors.Is(err, etcd.ErrNoSpace) && !ch.open:
			return c.full(ctx, ch, err)
		case !errors.Is(err, etcd.ErrUnknownOutcome):
			if ch.open {
				err = doubt{err}
			}
			c.known = known{}
			return outcome{}, err
		}
		ch.open = true
		if !transient(err) || ctx.Err() != nil {
			c.known = known{}
			return outcome{}, doubt{err}
		}
		if werr := again.Wait(ctx); werr != nil {
			c.known = known{}
			return outcome{}, doubt{errors.Join(werr, err)}
		}
	}
}

// full finds out what became of a change that was answered with "no space",
// which may be said although it was applied. It was answered, so it does not
// come later: if the key is as it was, it was not applied.
func (c *counter) full(ctx context.Context, ch *change, cause error) (outcome, error) {
	ch.open = true
	key, mark := etcd.Key(c.key), etcd.Key(markKey(c.key))
	res, err := c.client.Txn(ctx, etcd.Txn{Then: []etcd.Op{etcd.Get(key), etcd.Get(mark)}})
	if err != nil {
		c.known = known{}
		return outcome{}, doubt{errors.Join(cause, err)}
	}
	if kv, ok := res.Results[0].Get.First(); ok && kv.ModRevision == ch.base.mod {
		return outcome{}, fmt.Errorf("%w: no number was taken", etcd.ErrNoSpace)
	}
	return c.refused(ctx, ch, res)
}

// refused finds out why a change was refused: the key is not as it was.
func (c *counter) refused(ctx context.Context, ch *change, res *etcd.TxnResult) (outcome, error) {
	late := outcome{verdict: tooLate}
	kv, _ := res.Results[0].Get.First()
	if ch.open {
		// One of the attempts without an answer may have done it.
		did, ok := ch.wrote(kv)
		if !ok {
			if kv, ok = c.firstAfter(ctx, ch.base); !ok {
				late.verdict = untold
			} else {
				did, ok = ch.wrote(kv)
			}
		}
		if ok {
			late = outcome{verdict: applied, rev: kv.ModRevision, nonce: did}
		}
	}
	kv, there := res.Results[0].Get.First()
	var err error
	switch {
	case there:
		err = c.adopt(kv, res.Header.Revision)
	case ch.base.mod == 0 && !c.seen:
		c.known = known{}
	default:
		err = c.missing(true)
	}
	switch {
	case late.verdict == applied:
		return late, nil // what came after it is the next one's business
	case err != nil && late.verdict == untold:
		return outcome{}, doubt{err}
	case err != nil:
		return outcome{}, err
	}
	c.pace.Lost(c.rung(res.Results[1].Get))
	return late, nil
}

// wrote gives the nonce in a value, if it is the change's.
func (ch *change) wrote(kv etcd.KV) (string, bool) {
	_, nonce, err := decode(kv)
	return nonce, err == nil && nonce != "" && (nonce == ch.nonce || nonce == ch.aside) && !mutant.SequenceForgetsNonces
}

// historyWithin bounds how long the history is asked for.
const historyWithin = 5 * time.Second

// firstAfter gives the first change of the key after the state that base
// describes, and whether it can be told: not where the history is compacted.
// A change with that base is this first one, or was never applied.
func (c *counter) firstAfter(ctx context.Context, base known) (etcd.KV, bool) {
	ctx, cancel := context.WithTimeout(ctx, historyWithin)
	defer cancel()
	w, err := c.client.Watch(ctx, etcd.Key(c.key), etcd.FromRevision(base.at+1))
	if err != nil {
		return etcd.KV{}, false
	}
	defer w.Close()
	evs, err := w.Next(ctx)
	if err != nil || len(evs.Events) == 0 {
		return etcd.KV{}, false
	}
	return evs.Events[0].KV, true // of a deletion it has no value, and no nonce
}

// rung gives the revision at which somebody else was refused last.
func (c *counter) rung(mark *etcd.GetResult) int64 {
	kv, ok := mark.First()
	if !ok || markedBy(kv) == c.id {
		return 0
	}
	return kv.ModRevision
}
