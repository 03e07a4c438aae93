package etcd

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/quorate/quorate/internal/jsonwire"
	"github.com/quorate/quorate/internal/mutant"
)

// How shared requests are sent, and what becomes of their members.

// fly sends batch in a place, and after it what is to leave next, until there
// is nothing.
func (g *group) fly(batch []*call) {
	var wait *backoff.ExponentialBackOff
	for {
		var next [][]*call
		if until := g.send(batch); until.IsZero() {
			wait = nil
			next = g.comeBack(len(batch))
		} else {
			// Nobody took it, and its members wait in the queue again.
			if wait == nil {
				wait = newBackoff()
			}
			pause := min(wait.NextBackOff(), time.Until(until))
			if sleep(context.Background(), g.c.life, pause) != nil {
				wait = nil // closed: what follows fails at once
			}
			next = g.advance(len(batch))
		}
		if len(next) == 0 {
			return
		}
		batch = next[0]
		g.launch(next[1:])
	}
}

// send carries out one batch and settles its members. Those who are to be
// tried again later are back in the queue; send then gives the time until
// which the first of them wants to wait.
func (g *group) send(batch []*call) (until time.Time) {
	p := partyOf(batch)
	results, f, again := g.commit(&p)
	switch {
	case f == nil:
		for i, k := range batch {
			k.result = results[i]
			close(k.done)
		}
	case again && !f.err.Unknown:
		return g.requeue(batch, f)
	case f.speaksOfAMember():
		return g.split(&p, f)
	default:
		for _, k := range batch {
			k.fail(f)
		}
	}
	return time.Time{}
}

// commit sends p as one transaction, to each endpoint at most once.
func (g *group) commit(p *party) (results []OpResult, f *failure, again bool) {
	buf := newBody()
	defer buf.free() // the exchange is over, and nothing decoded points into it
	body := append(slices.Grow(buf.b[:0], p.bytes+32), `{"success":[`...)
	for i, k := range p.calls {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, k.body...)
	}
	body = append(body, "]}"...)
	buf.b = body
	if h := g.c.cfg.Hooks.Batch; h != nil {
		h(BatchInfo{Calls: len(p.calls), Bytes: len(body), Write: g.write})
	}
	r := &request{op: "batch", on: "of " + strconv.Itoa(len(p.calls)) + " calls", path: paths[opTxn], body: body, mode: modeWrite}
	if !g.write {
		r.mode = modeRead
	}
	full := g.full.Load()
	// No context: nobody's hurry ends what others want, and Close interrupts
	// the connections.
	f, again = g.c.round(context.Background(), r, new(tries), func(rd *jsonwire.Reader) (err error) {
		results, err = decodeBatch(rd, len(g.c.ns), p.calls)
		return err
	})
	if g.write {
		g.noteSpace(func() bool { return p.puts }, full, f)
	}
	if mutant.SwapResults && f == nil && !g.write {
		results[0], results[len(results)-1] = results[len(results)-1], results[0]
	}
	return results, f, again
}

// decodeBatch reads the reply to a batch: one result for each member.
func decodeBatch(rd *jsonwire.Reader, ns int, calls []*call) ([]OpResult, error) {
	var (
		h       Header
		results = make([]OpResult, 0, len(calls))
		d       = decoder{rd, ns}
		s       = slabs{n: min(slabSize, len(calls))}
	)
	for name := range rd.Object {
		switch string(name) {
		case "header":
			d.header(&h)
		case "responses":
			for range rd.Array {
				results = append(results, OpResult{})
				if d.opResultIn(&results[len(results)-1], &s); len(results) > len(calls) {
					d.Refuse("more results than calls")
				}
			}
		}
	}
	if rd.Err() != nil {
		return nil, rd.Err()
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	if len(results) != len(calls) {
		return nil, errShape("a batch has more or fewer results than members")
	}
	for i, k := range calls {
		if err := results[i].fits(&k.op, h); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// speaksOfAMember reports whether a failed batch may do better without some of
// its members. Nothing of it was applied.
func (f *failure) speaksOfAMember() bool {
	if f.err.Unknown {
		return false
	}
	switch f.err.Kind {
	case ErrClosed, ErrUnauthenticated:
		return false
	case ErrBadReply: // of a read: it may be too large together
		return true
	}
	return f.verdict == verdictFinal
}

// fail ends k with the failure of the request it travelled in.
func (k *call) fail(f *failure) {
	e := *f.err
	e.Op, e.On = k.name(), k.on()
	k.err = &e
	close(k.done)
}

// requeue puts the members of a batch that nobody took back at the head of the
// queue, except those whose time is up. It gives the time until which the
// first of the others wants to wait, or zero if there are none.
func (g *group) requeue(batch []*call, f *failure) (until time.Time) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	again := make([]*call, 0, len(batch)+len(g.queue))
	for _, k := range batch {
		switch {
		case k.gone: // its caller has left; nothing was sent, and nothing will be
		case !now.Before(k.until):
			k.fail(f)
		default:
			again = append(again, k)
			if until.IsZero() || k.until.Before(until) {
				until = k.until
			}
		}
	}
	g.queue = append(again, g.queue...)
	return until
}

const (
	// parties is into how many a batch is split that was refused because of
	// some member.
	parties = 11
	// smallParty is up to how many members go out alone, each sent by its own
	// caller, all at once.
	smallParty = 12
)

// split sends the members of a batch again that was refused as a whole: a large
// one as several smaller batches, so that one bad member costs its neighbours
// a few requests and not one each, and a small one each member alone.
func (g *group) split(p *party, f *failure) (until time.Time) {
	g.mu.Lock()
	g.limits.learn(f.err.Kind, p)
	rest := make([]*call, 0, len(p.calls))
	for _, k := range p.calls {
		if !k.gone {
			rest = append(rest, k)
		}
	}
	g.mu.Unlock()
	if len(rest) <= smallParty {
		for _, k := range rest {
			k.alone = true
			close(k.done)
		}
		return time.Time{}
	}
	size := (len(rest) + parties - 1) / parties
	for len(rest) > 0 {
		n := min(size, len(rest))
		if u := g.send(rest[:n:n]); !u.IsZero() && (until.IsZero() || u.Before(until)) {
			until = u
		}
		rest = rest[n:]
	}
	return until
}

// noteSpace keeps track of whether the server has space left: it has not after
// it said so, until a put succeeds that was sent after that.
func (g *group) noteSpace(puts func() bool, wasFull bool, f *failure) {
	switch {
	case f == nil && wasFull && puts():
		g.full.Store(false)
	case f != nil && f.err.Kind == ErrNoSpace:
		g.full.Store(true)
	}
}
