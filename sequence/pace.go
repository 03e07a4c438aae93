package sequence

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A pace keeps several processes from storming one sequence. Who loses a race
// knows the present value from the refusal and can try again at once; but who
// has won is always a little ahead and would win for ever. So:
//
//   - A refusal rings: it changes the sequence's mark, in the same commit. Who
//     wins reads the mark in its own.
//   - Who has won many times in a row and hears others ring keeps quiet, only
//     looking now and then, until somebody has come, and for longer if nobody
//     does.
//   - Who loses twice in a row sleeps, for less the longer it has waited, and
//     then listens: it tries when the sequence does not move any more.
//
// So processes take turns in rows of commits, which nobody disturbs with
// attempts that would fail, and each wait is bounded: a winner is quiet for
// longer than a loser sleeps, and who has listened in vain for long tries
// anyway. All times are multiples of how long a commit takes; where commits are
// slow, rows have fewer of them, and the rest is shorter accordingly.
type pace struct {
	commit time.Duration // how long one takes, without outliers
	ended  time.Time     // when the last one did
	row    int           // won one after the other
	began  time.Time     // when the row did
	losses int           // lost one after the other
	heard  int64         // the revision of the last ring that was heard
	called bool          // somebody rang, and nobody came since
	rests  int           // kept since then
	quiet  time.Time     // until when to keep quiet
}

const (
	rowLength = 48 // commits in a row, where others wait
	rowLeast  = 4  // the same, where commits are slow
	rowAgain  = 8  // the same, where nobody came when it was quiet
	maxRests  = 2  // whoever rang has gone
	lookEvery = 4  // commits' time between looks while it is quiet
	listens   = 16 // in vain, until it is tried anyway

	longRow = 50 * time.Millisecond // after which a row of rowLeast commits is long enough
)

// times gives n commits' time, but where that is longer than most it gives most,
// or least commits' time.
func (p *pace) times(n, least int, most time.Duration) time.Duration {
	u := p.unit()
	return min(time.Duration(n)*u, max(most, time.Duration(least)*u))
}

// sleepMost is how long a loser sleeps at most.
func (p *pace) sleepMost() time.Duration { return p.times(32, 4, longRow/2) }

// quietMost is how long a winner keeps quiet at first: longer than a loser
// sleeps, listens and tries.
func (p *pace) quietMost() time.Duration { return p.times(48, 8, longRow) }

// unit is the time of a commit, within reason.
func (p *pace) unit() time.Duration {
	return min(max(p.commit, 200*time.Microsecond), 50*time.Millisecond)
}

// won notes a commit that began at begin, and the revision at which somebody
// else rang last.
func (p *pace) won(begin time.Time, rung int64) {
	now := time.Now()
	if begin.Sub(p.ended) > p.quietMost() {
		p.row = 0 // it was quiet anyway
	}
	// The first one opens a connection, and one or the other hits a busy moment.
	if took := now.Sub(begin); took < p.commit || p.commit == 0 {
		p.commit = (p.commit + took) / 2
	} else {
		p.commit += (took - p.commit) / 16
	}
	p.ended, p.losses = now, 0
	if p.row++; p.row == 1 {
		p.began = begin
	}
	p.hear(rung)
	row := rowLength
	if p.rests > 0 {
		row = rowAgain
	}
	enough := p.row >= row || p.row >= rowLeast && now.Sub(p.began) >= longRow
	if !p.called || !enough {
		return
	}
	p.quiet = now.Add(p.quietMost() << p.rests)
	p.row = 0
	if p.rests++; p.rests == maxRests {
		p.called, p.rests = false, 0
	}
}

// hear notes the revision at which somebody else rang last.
func (p *pace) hear(rung int64) {
	if rung > p.heard {
		p.called = p.called || p.heard != 0 // at first it may be an old one
		p.heard, p.rests = rung, 0
	}
}

// lost notes that somebody else came before, and who rang before that.
func (p *pace) lost(rung int64) {
	p.losses++
	p.came()
	p.hear(rung) // our own ring has covered it
}

// came notes that somebody else has come.
func (p *pace) came() {
	p.row, p.rests, p.called = 0, 0, false
	p.quiet = time.Time{}
}

// behind gives how long to sleep before the next attempt.
func (p *pace) behind() time.Duration {
	most := p.sleepMost() >> min((p.losses-2)/3, 3)
	return most/2 + rand.N(most/2)
}

// ready waits until it is time to send something, and finds out where the
// sequence is.
func (c *counter) ready(ctx context.Context) error {
	for {
		left := time.Until(c.pace.quiet)
		if left <= 0 || c.known.mod == 0 {
			break
		}
		if err := sleep(ctx, min(left, lookEvery*c.pace.unit())); err != nil {
			return err
		}
		same, err := c.confirm(ctx)
		if err != nil {
			return err
		}
		if !same {
			c.pace.came()
		}
	}
	if c.pace.losses < 2 {
		return c.load(ctx)
	}
	for range listens {
		if err := sleep(ctx, c.pace.behind()); err != nil {
			return err
		}
		c.known = known{}
		if err := c.load(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, c.pace.unit()*3/2); err != nil {
			return err
		}
		if same, err := c.confirm(ctx); same || err != nil {
			return err
		}
		c.pace.losses++
	}
	return nil
}

// retries spaces the attempts at a change whose outcome is unknown.
type retries struct{ b *backoff.ExponentialBackOff }

func (r *retries) wait(ctx context.Context) error {
	if r.b == nil {
		r.b = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(10*time.Millisecond),
			backoff.WithMaxInterval(time.Second),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0.5),
			backoff.WithMaxElapsedTime(0),
		)
	}
	return sleep(ctx, r.b.NextBackOff())
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return over(ctx)
	}
}
