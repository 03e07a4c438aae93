package etcd

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/pace"
)

// Group commit. A call that finds no request under way, or one single call,
// goes out at once, as itself. Otherwise it waits in a queue, and as soon as a
// request returns, what waits and may travel together leaves as one transaction,
// or as two where that is worth it. There are no timers: an idle client pays no
// latency, and a busy one shares the cost of a request, and of a raft entry,
// among its callers.
//
// Why so few under way: a request costs the server as much as a good many
// members of one, so a few callers are served faster by one request that they
// share than by two, even those who wait for it. Two leave side by side where
// each is a single call, which would otherwise wait for the whole of the other,
// and where so many calls wait that either is worth its cost (worthwhile): then
// the server decodes one while it commits the other.
//
// What may travel together (batch_take.go):
//   - No write of one member may meet anything that another member compares,
//     reads or writes (claims.admit); such a member waits for the next request.
//   - N members, k operations deep, must fit the server's limit: N + k <= 128.
//   - Together they stay below maxBatchBytes.
//   - While the server has no space left, members that only delete never
//     travel with one that puts, because the server refuses the whole.
//
// What happens to the outcome (batch_send.go):
//   - An unknown outcome of the request is an unknown outcome of each member.
//   - A definite refusal speaks of some member, nobody knows which: they go out
//     again in smaller parties, and at last alone. Nothing was applied, so
//     nothing is applied twice.
//   - Where nobody took the request, its members wait in the queue again, each
//     for as long as its caller and Config.RetryTimeout let it.
//
// A caller who gives up takes its call out of the queue. Once it is on its way
// with others it stays, because the others want to arrive: its outcome is then
// unknown to that caller.

// A group gathers calls of one sort: reads or writes.
//
// A place is the right to have a request under way; there are limit of them.
// While anybody waits in the queue at least one is taken, or somebody gathers,
// and whoever gives a place up, or has gathered, looks what is to leave now.
type group struct {
	c     *Client
	limit int // places
	write bool
	full  atomic.Bool // the server said it has no space left, and no put sent since has succeeded

	mu        sync.Mutex
	flying    int // places taken
	riding    int // calls on their way in them
	gathering int // those who wait for callers to come back
	queue     []*call
	limits    batchLimits
	claims    claims // of the batch that is being put together
}

func newGroup(c *Client, limit int, write bool) *group {
	return &group{c: c, limit: limit, write: write, limits: usualLimits}
}

// do carries out k and gives its result.
func (g *group) do(ctx context.Context, k *call) (OpResult, error) {
	if g.enter(nil) {
		return g.inPlace(ctx, k)
	}
	k.prepare(g.c.ns)
	if g.c.cfg.RetryTimeout > 0 {
		k.until = time.Now().Add(g.c.cfg.RetryTimeout)
	}
	if g.enter(k) { // it became free meanwhile
		return g.inPlace(ctx, k)
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		if sent := g.withdraw(k); !sent {
			return OpResult{}, &Error{Op: k.name(), On: k.on(), Err: ctxErr(ctx)}
		}
		// It is on its way with others. Where the outcome is known already,
		// tell it.
		select {
		case <-k.done:
		default:
			return OpResult{}, &Error{Op: k.name(), On: k.on(), Err: ctxErr(ctx), Unknown: g.write}
		}
	}
	switch {
	case k.place:
		return g.inPlace(ctx, k)
	case k.alone:
		return g.c.single(ctx, k)
	}
	return k.result, k.err
}

// inPlace sends k as itself in a place that its caller owns.
func (g *group) inPlace(ctx context.Context, k *call) (OpResult, error) {
	defer g.next(1)
	return g.c.single(ctx, k)
}

// enter takes a place, or puts k in the queue and reports false.
func (g *group) enter(k *call) bool {
	var leave bool
	g.mu.Lock()
	at := len(g.queue) == 0 && g.mayLeave(1)
	switch {
	case at:
		g.flying++
		g.riding++
	case k != nil:
		g.queue = append(g.queue, k)
		if leave = g.mayLeave(len(g.queue)); leave {
			g.gathering++
		}
	}
	g.mu.Unlock()
	if leave {
		collect := func() { g.launch(g.gather()) }
		if g.c.start(collect) != nil {
			collect() // the client is closed, which ends them at once
		}
	}
	return at
}

// withdraw is for a caller who gives up. It reports whether k is on its way
// with others or has an outcome; otherwise it was never sent and will not be.
func (g *group) withdraw(k *call) (sent bool) {
	g.mu.Lock()
	if k.place {
		g.mu.Unlock()
		g.next(1) // the place was k's already: pass it on
		return false
	}
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, k); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		return false
	}
	k.gone = true
	return true
}

// next gives up the place of a request of n calls that has returned: what waits
// may leave in it.
func (g *group) next(n int) { g.launch(g.advance(n)) }

// launch sends batches, in the places that they have taken.
func (g *group) launch(batches [][]*call) {
	for _, batch := range batches {
		if g.c.start(func() { g.fly(batch) }) != nil {
			g.fly(batch) // the client is closed, which ends the batch at once
		}
	}
}

// advance gives up the place of n calls and gives the batches to send now.
func (g *group) advance(n int) [][]*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	g.riding -= n
	return g.depart()
}

// depart takes places for the batches of several members that are to leave now.
// A call that leaves without company goes as itself, sent by its caller, who
// owns the place. g.mu is held.
func (g *group) depart() (batches [][]*call) {
	for n := len(g.queue); n > 0 && g.mayLeave(n); n = len(g.queue) {
		batch := g.take(g.share(n))
		g.flying++
		g.riding += len(batch)
		if len(batch) > 1 {
			batches = append(batches, batch)
			continue
		}
		batch[0].place = true
		close(batch[0].done)
	}
	return batches
}

// worthwhile is how many calls a request must have to leave beside another that
// is shared. Measured, see docs/performance.md: with fewer, callers wait longer.
const worthwhile = 32

// mayLeave reports whether some of n calls that wait may leave now.
func (g *group) mayLeave(n int) bool {
	switch {
	case g.gathering > 0: // whoever gathers sees to them all
		return false
	case g.flying == 0:
		return true
	}
	return g.flying < g.limit && (g.riding <= 1 || n >= worthwhile)
}

// share is how many of the n calls that wait leave in one request: all, or
// their part where the rest is worth a request that leaves beside it.
func (g *group) share(n int) int {
	if places := g.limit - g.flying; places > 1 && n >= places*worthwhile {
		return (n + places - 1) / places
	}
	return n
}

// comeBack gives up the place of n calls that have just returned, whose callers
// may make their next call at once, and gives the batches to send then.
func (g *group) comeBack(n int) [][]*call {
	g.mu.Lock()
	g.flying--
	g.riding -= n
	g.gathering++
	g.mu.Unlock()
	return g.gather()
}

// gather lets callers come back, without ever waiting, and gives the batches to
// send then. Where several gather at a time, the last sees to all. Who calls it
// has counted itself among the gathering.
func (g *group) gather() [][]*call {
	pace.Gather(g.limit*maxTxnOps, func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.queue)
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gathering--
	return g.depart()
}
