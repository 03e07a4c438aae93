package lock

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A State is who holds a lock and who waits for it, all as of one revision.
type State struct {
	Name     string      // empty where only a raw prefix is known
	Revision int64       // 0 of what All gives, which does not tell it
	Holders  []Contender // one of a mutex; the oldest first
	Waiters  []Contender // in the order of the line
	Limit    int64       // of a semaphore: how many permits there are; otherwise 0
	// Quarantine is that of a Mutex which has one; otherwise 0. InQuarantine
	// says that the last holder was lost and nobody has got in since.
	Quarantine   time.Duration
	InQuarantine bool
}

// Look reads who holds the lock of that name, of whatever kind, and who waits
// for it. It needs no session. Of the options only WithPrefix has a meaning.
func Look(ctx context.Context, c *etcd.Client, name string, opts ...Option) (*State, error) {
	const op = "look at"
	o := collect(opts)
	prefix, err := o.prefix(name)
	if err != nil {
		return nil, failed(op, o.show(name), err)
	}
	roll, err := line.Call(ctx, c, prefix)
	if err != nil {
		return nil, failed(op, o.show(name), err)
	}
	return state(o.show(name), roll), nil
}

func state(name string, roll *line.Roll) *State {
	s := &State{Name: name, Revision: roll.Revision}
	for _, m := range roll.Holders {
		s.Holders = append(s.Holders, contender(m))
	}
	for i, m := range roll.Waiters {
		c := contender(m)
		c.Position = i + 1
		s.Waiters = append(s.Waiters, c)
	}
	if roll.Settings != nil {
		s.Limit = roll.Settings.Limit
		s.Quarantine, _ = time.ParseDuration(roll.Settings.Quarantine)
		s.InQuarantine = roll.Quarantined()
	}
	return s
}

// All gives the state of every lock below Root that somebody holds or waits
// for, of every semaphore, and of every mutex with a quarantine, in the order of
// their keys, all as of one revision, which is not told. An error is yielded once and ends it; a lock whose keys can't be
// understood is such an error, and so ends the sequence as well.
func All(ctx context.Context, c *etcd.Client) iter.Seq2[*State, error] {
	return func(yield func(*State, error) bool) {
		for g, err := range line.Groups(ctx, c, Root) {
			var roll *line.Roll
			if err == nil {
				line.ByAge(g.KVs)
				roll, err = line.Muster(g.Prefix, g.KVs, 0)
			}
			if err != nil {
				yield(nil, failed("list", g.Name, err))
				return
			}
			if !yield(state(g.Name, roll), nil) {
				return
			}
		}
	}
}

// Break takes a lock away from the contender with that token, as Look shows it,
// or takes it out of the line if it waits. The loser sees a *BrokenError with
// the reason as the cause of its context, or of its wait. It gives the
// contender as it was. If nobody in the line has that token, because it has
// left meanwhile, the error answers errors.Is for ErrNotHeld.
//
// The next in line gets the lock at once. The loser hears of it only when its
// event arrives, and until then only its guard, or its token, keeps it from
// doing harm: break what is stuck, not what is slow.
func Break(ctx context.Context, c *etcd.Client, name string, token int64, reason string, opts ...Option) (Contender, error) {
	o := collect(opts)
	prefix, err := o.prefix(name)
	if err != nil {
		return Contender{}, failed("break", o.show(name), err)
	}
	return breakIn(ctx, c, o.show(name), prefix, token, reason)
}

func breakIn(ctx context.Context, c *etcd.Client, name, prefix string, token int64, reason string) (Contender, error) {
	const op = "break"
	switch {
	case token <= 0:
		return Contender{}, failed(op, name, errors.New("the token is not positive"))
	case reason == "" || len(reason) > maxReason:
		return Contender{}, failed(op, name, errors.New("the reason is empty or longer than 1024 bytes"))
	}
	m, err := line.Break(ctx, c, prefix, token, line.NewBreaking(reason))
	if errors.Is(err, line.ErrNoSuchContender) {
		err = errors.Join(ErrNotHeld, err)
	}
	if err != nil {
		return Contender{}, failed(op, name, err)
	}
	return contender(m), nil
}

const maxReason = 1024

// Forget removes what the parties of a lock have agreed on, a semaphore's limit
// or a quarantine, so that the name can be used with another, or for another
// kind of lock. If somebody holds the lock or waits for it, or it is in
// quarantine, the error answers errors.Is for ErrHeld.
func Forget(ctx context.Context, c *etcd.Client, name string, opts ...Option) error {
	o := collect(opts)
	prefix, err := o.prefix(name)
	if err == nil {
		err = line.Forget(ctx, c, prefix)
	}
	return failed("forget", o.show(name), err)
}
