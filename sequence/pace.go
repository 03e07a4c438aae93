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
//   - Who has won many times in a row and hears others ring keeps quiet for a
//     while, and for longer if nobody comes, so that whoever waits gets in.
//   - Who loses several times in a row sleeps about as long as a winner's row
//     lasts, and for less the longer it has waited.
//
// All times are multiples of how long a commit takes.
type pace struct {
	commit time.Duration // how long one takes, smoothed
	ended  time.Time     // when the last one did
	row    int           // won one after the other
	losses int           // lost one after the other
	heard  int64         // the revision of the last ring that was heard
	called bool          // somebody rang, and nobody came since
	rests  int           // kept since then
	quiet  time.Time     // until when to keep quiet
}

const (
	rowLength = 16 // commits in a row, where others wait
	rowAgain  = 4  // the same, where nobody came when it was quiet
	tries     = 3  // lost before a sleep; two are lost before the winner can have heard
	rest      = 6  // commits' time to keep quiet at first; then twice as long
	maxRests  = 4  // whoever rang has gone
)

// unit is the time of a commit, within reason.
func (p *pace) unit() time.Duration {
	return min(max(p.commit, 200*time.Microsecond), 50*time.Millisecond)
}

// won notes a commit that began at begin, and the revision at which somebody
// else rang last.
func (p *pace) won(begin time.Time, rung int64) {
	now := time.Now()
	if begin.Sub(p.ended) > rest*p.unit() {
		p.row = 0 // it was quiet anyway
	}
	if took := now.Sub(begin); p.commit == 0 {
		p.commit = took
	} else {
		p.commit += (took - p.commit) / 8
	}
	p.ended, p.losses = now, 0
	p.row++
	if rung > p.heard {
		p.called = p.called || p.heard != 0 // at first it may be an old one
		p.heard, p.rests = rung, 0
	}
	row := rowLength
	if p.rests > 0 {
		row = rowAgain
	}
	if !p.called || p.row < row {
		return
	}
	p.quiet = now.Add(rest * p.unit() << p.rests)
	p.row = 0
	if p.rests++; p.rests == maxRests {
		p.called, p.rests = false, 0
	}
}

// lost notes that somebody else came before.
func (p *pace) lost() {
	p.losses++
	p.row, p.rests, p.called = 0, 0, false
	p.quiet = time.Time{}
}

// await waits until it is time to send.
func (p *pace) await(ctx context.Context) error {
	d := time.Until(p.quiet)
	if p.losses > 0 && p.losses%tries == 0 {
		most := rowLength * p.unit() >> min(p.losses/tries-1, 2)
		d = most/2 + rand.N(most/2)
	}
	if d <= 0 {
		return nil
	}
	return sleep(ctx, d)
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
