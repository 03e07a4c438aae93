package etcd

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/quorate/quorate/internal/jsonwire"
)

// Group commit. A call that finds few enough requests under way goes out at
// once, as itself. Otherwise it waits in a queue, and as soon as a request
// returns, all that waits and may travel together leaves as one transaction.
// There are no timers: an idle client pays no latency, and a busy one shares
// the cost of a request, and of a raft entry, among its callers.
//
// What may travel together:
//   - No write of one member may meet anything that another member compares,
//     reads or writes (claims.admit); such a member waits for the next request.
//   - N members, k operations deep, must fit the server's limit: N + k <= 128.
//   - Together they stay below maxBatchBytes.
//   - While the server has no space left, members that only delete never
//     travel with one that puts, because the server refuses the whole.
//
// What happens to the outcome:
//   - An unknown outcome of the request is an unknown outcome of each member.
//   - A definite refusal speaks of some member, nobody knows which: each goes
//     out again alone. Nothing was applied, so nothing is applied twice.

const (
	maxBatchBytes = 1 << 20
	maxTxnOps     = 128
)

// A group gathers calls of one sort: reads or writes.
type group struct {
	c     *Client
	limit int // requests under way at once
	write bool

	mu     sync.Mutex
	flying int
	queue  []*call
	ops    int  // what the server takes in a transaction
	bytes  int  // what it takes in a request
	full   bool // the server said it has no space left, and no put has succeeded since
}

func newGroup(c *Client, limit int, write bool) *group {
	return &group{c: c, limit: limit, write: write, ops: maxTxnOps, bytes: maxBatchBytes}
}

// do carries out k and gives its result.
func (g *group) do(ctx context.Context, k *call) (OpResult, error) {
	g.mu.Lock()
	if g.flying < g.limit {
		g.flying++
		g.mu.Unlock()
		res, err := g.c.single(ctx, k)
		g.next()
		return res, err
	}
	g.mu.Unlock()

	k.prepare(g.c.ns)
	k.done = make(chan struct{})
	g.mu.Lock()
	if g.flying < g.limit { // it became free meanwhile
		g.flying++
		g.mu.Unlock()
		res, err := g.c.single(ctx, k)
		g.next()
		return res, err
	}
	g.queue = append(g.queue, k)
	g.mu.Unlock()

	select {
	case <-k.done:
	case <-ctx.Done():
		switch g.withdraw(k) {
		case stillQueued:
			return OpResult{}, &Error{Op: k.name(), On: k.on(), Err: ctxErr(ctx)}
		case ownsPlace:
			g.next()
			return OpResult{}, &Error{Op: k.name(), On: k.on(), Err: ctxErr(ctx)}
		}
		// It is on its way with others, who still want it to arrive. Where the
		// outcome is known already, tell it.
		select {
		case <-k.done:
		default:
			return OpResult{}, &Error{Op: k.name(), On: k.on(), Err: ctxErr(ctx), Unknown: g.write}
		}
	}
	switch {
	case k.owner:
		res, err := g.c.single(ctx, k)
		g.next()
		return res, err
	case k.resend:
		return g.c.single(ctx, k)
	}
	return k.result, k.err
}

// prepare fills in what sharing a request needs to know.
func (k *call) prepare(ns string) {
	k.touches = appendTouches(k.touches, &k.op)
	k.body = appendRequestOp(make([]byte, 0, 256), ns, &k.op)
	k.depth = k.op.depth()
	k.puts = k.op.puts()
}

// whereabouts of a call whose caller gives up.
type whereabouts uint8

const (
	stillQueued whereabouts = iota // taken out of the queue: never sent
	ownsPlace                      // was about to be sent by its caller
	underWay                       // sent with others
)

func (g *group) withdraw(k *call) whereabouts {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k.owner {
		return ownsPlace
	}
	for i, q := range g.queue {
		if q == k {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return stillQueued
		}
	}
	return underWay
}

// next is called when a request has returned: what waits leaves in its place,
// or the place becomes free. A call that leaves without company goes as itself,
// sent by its caller, who inherits the place.
func (g *group) next() {
	if batch := g.advance(); len(batch) > 0 {
		g.c.wg.Add(1)
		go func() {
			defer g.c.wg.Done()
			for len(batch) > 0 {
				g.send(batch)
				g.gather()
				batch = g.advance()
			}
		}()
	}
}

// gather lets those whose calls have just returned run before the next batch
// leaves: many make their next call at once, and would otherwise find the queue
// gone. It yields as long as the queue grows, and never waits.
func (g *group) gather() {
	for last := -1; ; {
		g.mu.Lock()
		n := len(g.queue)
		g.mu.Unlock()
		if n == last || n >= maxTxnOps {
			return
		}
		last = n
		runtime.Gosched()
	}
}

// advance gives the next batch to send, if there is one of several members.
func (g *group) advance() []*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch := g.take()
	switch len(batch) {
	case 0:
		g.flying--
		return nil
	case 1:
		batch[0].owner = true
		close(batch[0].done)
		return nil
	}
	return batch
}

// take picks from the queue, oldest first, what may travel together. The
// oldest always does, so that nobody waits for ever.
func (g *group) take() []*call {
	if len(g.queue) == 0 {
		return nil
	}
	var (
		batch []*call
		rest  = g.queue[:0]
		cl    = newClaims()
		bytes = 0
		depth = 0
		puts  bool
	)
	for i, k := range g.queue {
		d := max(depth, k.depth)
		fits := len(batch) == 0 ||
			len(batch)+1+d <= g.ops &&
				bytes+len(k.body) <= g.bytes &&
				!(g.full && k.puts != puts)
		if fits && cl.admit(k.touches) {
			batch = append(batch, k)
			bytes += len(k.body) + 1
			depth = d
			puts = puts || k.puts
			if len(batch) >= g.ops {
				rest = append(rest, g.queue[i+1:]...)
				break
			}
			continue
		}
		rest = append(rest, k)
	}
	clear(g.queue[len(rest):])
	g.queue = rest
	return batch
}

// send carries out one batch and settles its members.
func (g *group) send(batch []*call) {
	size := 32
	puts := false
	for _, k := range batch {
		size += len(k.body) + 1
		puts = puts || k.puts
	}
	body := append(make([]byte, 0, size), `{"success":[`...)
	for i, k := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, k.body...)
	}
	body = append(body, "]}"...)
	if h := g.c.cfg.Hooks.Batch; h != nil {
		h(BatchInfo{Calls: len(batch), Bytes: len(body), Write: g.write})
	}
	r := &request{op: "batch", on: describeBatch(len(batch)), path: paths[opTxn], body: body, mode: modeWrite}
	if !g.write {
		r.mode = modeRead
	}
	var results []OpResult
	err := g.c.do(g.c.life, r, func(rd *jsonwire.Reader) error {
		var res TxnResult
		d := decoder{rd, len(g.c.ns)}
		d.txn(&res)
		if rd.Err() != nil {
			return rd.Err()
		}
		if len(res.Results) != len(batch) {
			return errShape("a batch has more or fewer results than members")
		}
		for i, k := range batch {
			if err := res.Results[i].fits(&k.op, res.Header); err != nil {
				return err
			}
		}
		results = res.Results
		return nil
	})
	if g.write {
		g.note(puts, err)
	}
	g.settle(batch, results, err)
}

func (g *group) settle(batch []*call, results []OpResult, err error) {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		e = &Error{Err: err, Unknown: g.write}
	}
	alone := e != nil && !e.Unknown && e.Kind != ErrClosed && e.Kind != ErrUnavailable && e.Kind != ErrNoLeader
	if alone {
		g.learn(e.Kind)
	}
	for i, k := range batch {
		switch {
		case e == nil:
			k.result = results[i]
		case alone:
			k.resend = true
		default:
			mine := *e
			mine.Op, mine.On = k.name(), k.on()
			k.err = &mine
		}
		close(k.done)
	}
}

// learn makes batches smaller where the server takes less than usual.
func (g *group) learn(kind error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch kind {
	case ErrTooManyOps:
		g.ops = max(g.ops/2, 2)
	case ErrTooLarge:
		g.bytes = max(g.bytes/2, 16<<10)
	}
}

// note keeps track of whether the server has space left.
func (g *group) note(puts bool, err error) {
	full := errors.Is(err, ErrNoSpace)
	if !full && (err != nil || !puts) {
		return
	}
	g.mu.Lock()
	g.full = full
	g.mu.Unlock()
}
