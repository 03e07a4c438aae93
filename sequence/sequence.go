package sequence

import (
	"context"
	"fmt"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// A Sequence gives numbers that nobody else gets. It is safe for use by many
// goroutines at once, which share commits. Sequences of one client that are
// made alike are one; a Sequence that is kept saves the read with which a new
// one begins. It has nothing to close.
type Sequence struct {
	name string
	c    *counter
	err  error // what is wrong with the name or an option
}

// New describes the sequence of that name. It does no I/O: what is wrong with
// the name or an option is said by the first call. The first call on a name
// that was never used creates the sequence, unless MustExist is given.
func New(client *etcd.Client, name string, opts ...Option) *Sequence {
	o := collect(opts)
	s := &Sequence{name: o.show(name)}
	key, err := o.place(name)
	switch {
	case client == nil:
		s.err = invalid("no client")
	case err != nil:
		s.err = err
	}
	a := agreement{asFound: o.asFound, mustExist: o.mustExist}
	if a.cfg, err = o.config(); err != nil && s.err == nil {
		s.err = err
	}
	if s.err == nil {
		s.c = shared.counter(client, key, a)
	}
	return s
}

// wrong says what is wrong with the description of the sequence.
func (s *Sequence) wrong() error {
	if s.err == nil && s.c == nil {
		return invalid("it was not made by New")
	}
	return s.err
}

// Name gives the sequence's name.
func (s *Sequence) Name() string { return s.name }

// Next takes the next number. It is greater (less, where the step is negative)
// than every number that a Next, NextN or NextIn of anybody had returned when
// it was called, until a sequence that cycles begins again.
//
// If ctx ends or etcd does not answer while the request is under way, the error
// answers errors.Is for etcd.ErrUnknownOutcome: a number may have been taken
// that nobody will get. On any other error none was.
func (s *Sequence) Next(ctx context.Context) (int64, error) {
	r, err := s.nextN(ctx, "next", 1)
	return r.First(), err
}

// NextN takes the next n numbers, which follow each other without a gap. If
// there are fewer left it takes none, and the error is an ExhaustedError; of a
// sequence that cycles the range may go on at the beginning of the next cycle.
// Otherwise it is as Next.
func (s *Sequence) NextN(ctx context.Context, n int64) (Range, error) {
	return s.nextN(ctx, fmt.Sprintf("next %d of", n), n)
}

func (s *Sequence) nextN(ctx context.Context, op string, n int64) (Range, error) {
	switch {
	case s.wrong() != nil:
		return Range{}, failed(op, s.name, s.wrong())
	case n <= 0:
		return Range{}, failed(op, s.name, invalid("%d numbers are wanted", n))
	case ctx.Err() != nil:
		return Range{}, failed(op, s.name, pace.Over(ctx))
	}
	g, err := s.c.take(ctx, newCall(uint64(n)))
	return g.r, failed(op, s.name, err)
}

// Current gives the last number taken, by whomever, without taking one. It may
// be one of a block that a Cached holds and nobody has got yet, so it may go
// down when such a block is given back.
//
// Where no number was taken yet the error answers errors.Is for ErrUnused, and
// where the sequence does not exist for ErrNotFound or ErrDeleted. It creates
// nothing.
func (s *Sequence) Current(ctx context.Context) (int64, error) {
	i, err := s.look(ctx, "current")
	if err == nil && !i.Used {
		err = failed("current", s.name, ErrUnused)
	}
	return i.Last, err
}

// An Info is how far a sequence has come.
type Info struct {
	Name string // empty where only a key is known
	Key  string
	Config
	Used     bool   // a number was taken
	Last     int64  // the last number taken, if Used
	Left     uint64 // how many there are before the end, or the next cycle; not counted beyond 2^64-1
	Revision int64  // the revision of the last change
	// Err says what is wrong with it: ErrDeleted or ErrForeign. The rest is
	// empty then.
	Err error
}

// String shows how far the sequence has come, or what is wrong with it.
func (i Info) String() string {
	name := i.Name
	if name == "" {
		name = i.Key
	}
	switch {
	case i.Err != nil:
		return fmt.Sprintf("%.200q: %v", name, i.Err)
	case !i.Used:
		return fmt.Sprintf("%.200q: %v (%v)", name, ErrUnused, i.Config)
	}
	return fmt.Sprintf("%.200q: at %d, %d left (%v)", name, i.Last, i.Left, i.Config)
}

// Info reads how far the sequence has come. Errors are as of Current.
func (s *Sequence) Info(ctx context.Context) (Info, error) { return s.look(ctx, "look at") }

func (s *Sequence) look(ctx context.Context, op string) (Info, error) {
	if s.wrong() != nil {
		return Info{}, failed(op, s.name, s.wrong())
	}
	c := s.c
	r, err := c.client.Get(ctx, etcd.Key(c.key))
	if err != nil {
		return Info{}, failed(op, s.name, err)
	}
	kv, ok := r.First()
	if !ok {
		return Info{}, failed(op, s.name, c.absent(ctx))
	}
	i := info(s.name, kv)
	switch {
	case i.Err != nil:
		return Info{}, failed(op, s.name, i.Err)
	case !c.opts.asFound && i.Config != c.opts.cfg:
		return Info{}, failed(op, s.name, &MismatchError{Key: c.key, Stored: i.Config, Wanted: c.opts.cfg})
	}
	return i, nil
}

// info describes a sequence by its key.
func info(name string, kv etcd.KV) Info {
	i := Info{Name: name, Key: kv.Key, Revision: kv.ModRevision}
	st, _, err := decode(kv)
	if err != nil {
		i.Err = err
		return i
	}
	i.Config, i.Used, i.Last, i.Left = st.cfg, st.used, st.last, st.left()
	return i
}

// absent gives the error for a sequence whose key was not found.
func (c *counter) absent(ctx context.Context) error {
	r, err := c.client.Get(ctx, etcd.Key(markKey(c.key)))
	if err != nil {
		return err
	}
	if len(r.KVs) > 0 {
		return fmt.Errorf("%w: key %.200q is gone", ErrDeleted, c.key)
	}
	return fmt.Errorf("%w: key %.200q", ErrNotFound, c.key)
}
