package sequence

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/internal/pace"
)

// A Cached gives numbers from blocks held in memory. It is safe for use by many
// goroutines at once, which take numbers without a lock. Close it.
type Cached struct {
	s    *Sequence
	size uint64
	err  error // what is wrong with the size or the sequence

	cur atomic.Pointer[block]

	life context.Context // of fetches
	end  context.CancelFunc
	wg   sync.WaitGroup // the fetch

	mu      sync.Mutex
	closed  bool
	held    []*block // behind the current one
	fetch   *fetch   // under way, or nil
	times   uint64   // size is fetched that many times at once
	starved bool     // somebody has waited since the last fetch
	calm    int      // fetches for which nobody had to wait

	shut     chan struct{} // closed when Close is done
	closeErr error
}

// A block is a grant of which numbers are given out.
type block struct {
	grant
	n, straight         uint64
	first, step, origin int64
	ahead               uint64 // the number at which to fetch the next block
	_                   [64]byte
	next                atomic.Uint64 // index of the next number; n or more: it is used up
	_                   [64]byte      // the counter has a cache line of its own
}

// A fetch is a request for a block.
type fetch struct {
	done chan struct{}
	err  error
}

const (
	// mostTimes is how many sizes are fetched at once where one does not last.
	mostTimes = 8
	// calmAfter is how many fetches must come in time to fetch less again.
	calmAfter = 16
	// sealed is added to the index of a block to use it up.
	sealed = 1 << 63
)

// Cached gives numbers from blocks of size numbers, which are taken from the
// sequence at once and held in memory. The next block is fetched before one
// runs out. Where numbers are taken faster than blocks arrive, up to 8 sizes
// are fetched at once.
//
// Numbers are unique among all users of the sequence. They are in order within
// this Cached only: another process, or a Next, may give a greater one before.
//
// What is held when the process ends without Close is lost: two blocks at most,
// of up to 8 sizes each. Close gives back what it can.
func (s *Sequence) Cached(size int64) *Cached {
	c := &Cached{s: s, size: uint64(size), err: s.wrong(), times: 1, shut: make(chan struct{})}
	if c.err == nil && size <= 0 {
		c.err = invalid("a block of %d numbers", size)
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.cur.Store(new(block)) // an empty one
	return c
}

// Next gives the next number. Only where no block is at hand it waits for etcd,
// until ctx ends; then nothing is lost, because the block that was asked for
// serves later calls. Other errors are as of Sequence.NextN, and ErrClosed.
func (c *Cached) Next(ctx context.Context) (int64, error) {
	for {
		b := c.cur.Load()
		if i := b.next.Add(1) - 1; i < b.n {
			if i == b.ahead {
				c.fetchAhead()
			}
			return b.number(i), nil
		}
		if err := c.turn(ctx, b); err != nil {
			return 0, failed("next of cached", c.s.name, err)
		}
	}
}

// number gives number i of the block.
func (b *block) number(i uint64) int64 {
	if i < b.straight {
		return int64(uint64(b.first) + i*uint64(b.step))
	}
	return int64(uint64(b.origin) + (i-b.straight)*uint64(b.step))
}

// turn waits until there is another current block than b, which is used up.
func (c *Cached) turn(ctx context.Context, b *block) error {
	for {
		c.mu.Lock()
		switch {
		case c.err != nil:
			c.mu.Unlock()
			return c.err
		case c.closed:
			c.mu.Unlock()
			return ErrClosed
		case c.cur.Load() != b:
			c.mu.Unlock()
			return nil
		case len(c.held) > 0:
			c.cur.Store(c.held[0])
			c.held = c.held[1:]
			c.mu.Unlock()
			return nil
		}
		if ctx.Err() != nil {
			c.mu.Unlock()
			return pace.Over(ctx)
		}
		c.starved = true
		f := c.start()
		c.mu.Unlock()
		select {
		case <-f.done:
			if f.err != nil {
				return f.err
			}
		case <-ctx.Done():
			return pace.Over(ctx)
		}
	}
}

// fetchAhead fetches a block unless there is one in hand or under way.
func (c *Cached) fetchAhead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && len(c.held) == 0 {
		c.start()
	}
}

// start starts a fetch, or gives the one under way. The caller holds the mutex,
// and the Cached is not closed.
func (c *Cached) start() *fetch {
	if c.fetch != nil {
		return c.fetch
	}
	c.adapt()
	f := &fetch{done: make(chan struct{})}
	k := newCall(c.size * c.times)
	k.upTo = true
	c.fetch = f
	c.wg.Go(func() {
		g, err := c.s.c.take(c.life, k)
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.err = err; err == nil {
			c.held = append(c.held, c.newBlock(g))
		}
		c.fetch = nil
		close(f.done)
	})
	return f
}

// adapt fetches more at once where callers had to wait, and less where they had
// not for long.
func (c *Cached) adapt() {
	first := c.cur.Load().n == 0
	switch {
	case first: // somebody always waits for that one
	case c.starved:
		c.calm = 0
		if c.times < mostTimes && c.size < 1<<56 {
			c.times *= 2
		}
	default:
		if c.calm++; c.calm == calmAfter {
			c.calm, c.times = 0, max(c.times/2, 1)
		}
	}
	c.starved = false
}

// newBlock makes a block of a grant. Half of it is time enough to fetch the next
// one, unless callers are that fast that they had to wait.
func (c *Cached) newBlock(g grant) *block {
	b := &block{
		grant: g, n: g.r.n, straight: g.r.straight,
		first: g.r.first, step: g.r.cfg.Step, origin: g.r.cfg.origin(), ahead: g.r.n / 2,
	}
	if c.times > 1 {
		b.ahead = 0
	}
	return b
}

// Close ends the Cached and gives back the numbers that nobody got, if nobody
// took any after them; otherwise they are lost, which is no error. An error
// means that it is not known whether they could be given back. It waits until
// all is quiet, and may be called again.
func (c *Cached) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		select {
		case <-c.shut:
			return c.closeErr
		case <-ctx.Done():
			return failed("close cached", c.s.name, pace.Over(ctx))
		}
	}
	c.closed = true // from here on the current block stays
	f := c.fetch
	c.mu.Unlock()
	defer close(c.shut)

	cur := c.cur.Load()
	used := min(cur.next.Add(sealed)-sealed, cur.n)
	if f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	c.end()
	c.wg.Wait()
	if c.err == nil {
		blocks := append([]*block{cur}, c.held...)
		err := c.s.c.giveBack(ctx, blocks, used)
		c.closeErr = failed(fmt.Sprintf("give back the rest of a block of %d", c.size), c.s.name, err)
	}
	return c.closeErr
}
