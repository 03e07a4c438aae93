// Package pace says when to try again: after a failure, and where several
// processes contend for one key.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Rows keep several processes from storming one key that each of them changes
// by comparing its mod revision. Who loses a race knows the present value from
// the refusal and can try again at once; but who has won is always a little
// ahead and would win for ever. So:
//
//   - A refusal rings: it changes a key that is there for this, in the same
//     commit. Who wins reads that key in its own.
//   - Who has won many times in a row and hears others ring keeps quiet, only
//     looking now and then, until somebody has come, and for longer if nobody
//     does; if nobody rings either, whoever rang has gone.
//   - Who loses twice in a row sleeps, for less the longer it has waited, and
//     then listens: it tries when the key does not move any more.
//
// So processes take turns in rows of commits, which nobody disturbs with
// attempts that would fail, and each wait is bounded: a winner is quiet for
// longer than a loser sleeps, and who has listened in vain for long tries
// anyway. All times are multiples of how long a commit takes; where commits are
// slow, rows have fewer of them, and the rest is shorter accordingly.
//
// A process whose commits take several times as long as those of one that is
// always busy finds the key at rest too seldom, as it would without rows: three
// times is well, ten times is not. And who does not take turns at all leaves
// those who do a commit now and then, by luck.
//
// Length is how many commits a row has where others wait; it is set once. Rows
// are for one goroutine at a time.
type Rows struct {
	Length int

	commit time.Duration // how long one takes, without outliers
	ended  time.Time     // when the last one did
	row    int           // won one after the other
	began  time.Time     // when the row did
	losses int           // lost one after the other
	lost   time.Time     // when the last one was
	heard  int64         // the revision of the last ring that was heard
	called bool          // somebody rang, and nobody came since
	rests  int           // kept since somebody came
	silent int           // those since somebody rang
	quiet  time.Time     // until when to keep quiet
}

const (
	rowLeast  = 4  // commits in a row, where they are slow
	maxRests  = 2  // without another ring; whoever rang has gone
	maxShift  = 3  // doublings of a rest, where others go on ringing
	lookEvery = 4  // commits' time between looks while it is quiet
	listens   = 16 // in vain, until it is tried anyway

	longRow = 50 * time.Millisecond // after which a row of rowLeast commits is long enough
)

// times gives n commits' time, but where that is longer than most it gives most,
// or least commits' time.
func (r *Rows) times(n, least int, most time.Duration) time.Duration {
	u := r.unit()
	return min(time.Duration(n)*u, max(most, time.Duration(least)*u))
}

// sleepMost is how long a loser sleeps at most.
func (r *Rows) sleepMost() time.Duration { return r.times(r.Length*2/3, 4, longRow/2) }

// quietMost is how long a winner keeps quiet at first: longer than a loser
// sleeps, listens and tries.
func (r *Rows) quietMost() time.Duration { return r.times(r.Length, 8, longRow) }

// unit is the time of a commit, within reason.
func (r *Rows) unit() time.Duration {
	return min(max(r.commit, 200*time.Microsecond), 50*time.Millisecond)
}

// Won notes a commit that began at begin, and the revision at which somebody
// else rang last.
func (r *Rows) Won(begin time.Time, rung int64) {
	now := time.Now()
	if begin.Sub(r.ended) > r.quietMost() {
		r.row = 0 // it was quiet anyway
	}
	// The first one opens a connection, and one or the other hits a busy moment.
	if took := now.Sub(begin); took < r.commit || r.commit == 0 {
		r.commit = (r.commit + took) / 2
	} else {
		r.commit += (took - r.commit) / 16
	}
	r.ended, r.losses = now, 0
	if r.row++; r.row == 1 {
		r.began = begin
	}
	r.hear(rung)
	row := r.Length
	if r.rests > 0 {
		row = max(r.Length/6, rowLeast) // nobody came when it was quiet
	}
	enough := r.row >= row || r.row >= rowLeast && now.Sub(r.began) >= longRow
	if !r.called || !enough {
		return
	}
	r.quiet = now.Add(r.quietMost() << min(r.rests, maxShift))
	r.row = 0
	r.rests++
	if r.silent++; r.silent == maxRests {
		r.called, r.rests, r.silent = false, 0, 0
	}
}

// hear notes the revision at which somebody else rang last.
func (r *Rows) hear(rung int64) {
	if rung > r.heard {
		r.called = r.called || r.heard != 0 // at first it may be an old one
		r.heard, r.silent = rung, 0
	}
}

// Lost notes that somebody else came before, and who rang before that.
func (r *Rows) Lost(rung int64) {
	r.losses++
	r.lost = time.Now()
	r.came()
	r.hear(rung) // our own ring has covered it
}

// came notes that somebody else has come.
func (r *Rows) came() {
	r.row, r.rests, r.silent, r.called = 0, 0, 0, false
	r.quiet = time.Time{}
}

// behind gives how long to sleep before the next attempt.
func (r *Rows) behind() time.Duration {
	most := r.sleepMost() >> min((r.losses-2)/3, 3)
	return most/2 + rand.N(most/2)
}

// Ready waits until it is time to send something. look brings what is known of
// the key up to date and reports whether it was so already. An error is look's,
// or tells that ctx has ended.
func (r *Rows) Ready(ctx context.Context, look func(context.Context) (same bool, err error)) error {
	for {
		left := time.Until(r.quiet)
		if left <= 0 {
			break
		}
		if err := Sleep(ctx, min(left, lookEvery*r.unit())); err != nil {
			return err
		}
		same, err := look(ctx)
		if err != nil {
			return err
		}
		if !same {
			r.came()
		}
	}
	// It counts what callers before this one have waited, whose contexts ended:
	// otherwise those who never wait for long would never send anything.
	if r.losses < 2 || time.Since(r.lost) > r.quietMost() {
		return nil
	}
	for range listens {
		if err := Sleep(ctx, r.behind()); err != nil {
			return err
		}
		if _, err := look(ctx); err != nil {
			return err
		}
		if err := Sleep(ctx, r.unit()*3/2); err != nil {
			return err
		}
		if same, err := look(ctx); same || err != nil {
			return err
		}
		r.losses++
	}
	return nil
}
