package sequence

import (
	"context"
	"errors"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// errUntold is why the outcome of a change stays unknown although etcd answers.
var errUntold = errors.New("the reply was lost, the sequence has moved on, and the history that would tell is compacted or could not be read in time")

// NextIn takes the next number inside a transaction of the caller's: the number
// is taken if and only if that transaction's If holds and its Then is committed,
// all in one commit. So numbers have no gaps: invoice 17 exists, or the next one
// is invoice 17.
//
// txn makes the transaction for a number. It is called once for every attempt,
// with other numbers if other processes come first, and must have no effect of
// its own. Its If, Then and Else may have 120 entries each; it must not touch the
// sequence's keys. A sequence that is missing, and may be created, is created
// first, in a commit of its own.
//
// That the caller's own If did not hold is no error, as of etcd.Client.Txn: then
// n is 0, no number was taken, and res has Succeeded false and the results of
// Else. Contention is never mistaken for that, and never carries out Else.
//
// Lost replies are resolved. If it turns out that the transaction was committed
// although the reply was lost, res.Results is empty; what was read can be read
// again at res.Header.Revision. An error that answers errors.Is for
// etcd.ErrUnknownOutcome means that it may have been committed; any other that
// it was not, and that no number was taken.
//
// NextIn waits its turn among the calls of its process, which alternate: a
// commit for all who only want numbers, a commit of one NextIn. Among processes
// it has the same chances as they have. Of contending processes each gets rows
// of commits, one after the other, so that a single NextIn may wait for some
// rows; give ctx a deadline of seconds rather than milliseconds.
func (s *Sequence) NextIn(ctx context.Context, txn func(n int64) etcd.Txn) (n int64, res *etcd.TxnResult, err error) {
	const op = "next in a transaction of"
	switch {
	case s.wrong() != nil:
		return 0, nil, failed(op, s.name, s.wrong())
	case txn == nil:
		return 0, nil, failed(op, s.name, invalid("no transaction"))
	case ctx.Err() != nil:
		return 0, nil, failed(op, s.name, pace.Over(ctx))
	}
	err = s.c.alone(ctx, func() error {
		n, res, err = s.c.nextIn(ctx, txn)
		return err
	})
	return n, res, failed(op, s.name, err)
}

func (c *counter) nextIn(ctx context.Context, txn func(n int64) etcd.Txn) (int64, *etcd.TxnResult, error) {
	for {
		if err := c.ready(ctx); err != nil {
			return 0, nil, err
		}
		r, to, err := c.known.state.take(1)
		if err != nil {
			same, cerr := c.confirm(ctx)
			if cerr != nil {
				return 0, nil, cerr
			}
			if same {
				return 0, nil, err
			}
			continue
		}
		ch := c.newChangeIn(to, txn(r.First()))
		out, err := c.carryOut(ctx, ch)
		switch {
		case err != nil:
			return 0, nil, err
		case out.verdict == untold:
			return 0, nil, doubt{errUntold}
		case out.verdict == tooLate:
			continue
		case out.res == nil: // committed, and the reply lost
			taken := out.nonce == ch.nonce
			res := &etcd.TxnResult{Header: etcd.Header{Revision: out.rev}, Succeeded: taken}
			if !taken {
				return 0, res, nil
			}
			return r.First(), res, nil
		}
		in := out.res.Results[0].Txn
		// The first result is that of the put of the counter.
		res := &etcd.TxnResult{Header: out.res.Header, Succeeded: in.Succeeded, Results: in.Results[1:]}
		if !in.Succeeded {
			c.known = known{state: ch.base.state, mod: out.rev, at: out.rev}
			return 0, res, nil
		}
		return r.First(), res, nil
	}
}

// newChangeIn makes the change of NextIn: the caller's transaction is nested in
// it, so that its Else is carried out only where its own If does not hold.
//
// Where it does not hold, the counter is written all the same, with a nonce of
// its own: so an attempt whose reply was lost, and which may still be on its way,
// can't be applied any more, whatever becomes of the caller's If later.
func (c *counter) newChangeIn(to state, t etcd.Txn) *change {
	ch := &change{base: c.known, to: to, nonce: c.nextNonce()}
	ch.aside = c.nextNonce()
	aside := etcd.Put(c.key, encode(ch.base.state, ch.aside))
	if mutant.SequenceLeavesNoTrace {
		aside = etcd.Get(etcd.Key(c.key))
	}
	return ch.do(c, etcd.Nest(etcd.Txn{
		If:   t.If,
		Then: append([]etcd.Op{etcd.Put(c.key, encode(to, ch.nonce))}, t.Then...),
		Else: append([]etcd.Op{aside}, t.Else...),
	}))
}
