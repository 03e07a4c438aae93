package line

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// A Rule says whom a contender waits for. It is data, so that locks of all
// kinds and elections share the rest.
type Rule struct {
	Kind   Kind  // what is neither Reader nor Permits excludes all others
	Weight int64 // of Permits
	Limit  int64 // of Permits: how many there are, as the caller believes
	// Quarantine is how long nobody gets in after a loss without a release.
	// Only for what excludes all others.
	Quarantine time.Duration
	// Strict makes the guard refuse once the key has been changed, as by a
	// downgrade.
	Strict bool
	// Raw says that the values under the prefix are what candidates say and no
	// notes: the line is shared with the native Go client's elections.
	Raw bool
	// Handover says that a place can be handed to a contender further behind.
	Handover bool
}

// exclusive reports whether nobody else may be in.
func (r Rule) exclusive() bool { return r.Kind != Reader && r.Kind != Permits }

// member reads a contender's key as the rule has it.
func (r Rule) member(kv etcd.KV) Member {
	if r.Raw {
		return foreign(kv)
	}
	return member(kv)
}

// A view is what a contender knows of those in front of it. They only become
// fewer: nobody gets in front. So what has once been read stays right as long
// as those who are known to have left are taken out, and a view that lets the
// contender in needs no second look.
type view struct {
	front    []Member // oldest first
	whole    bool     // nobody older than these is missing
	settings *etcd.KV // the line's, if it is part of what was read
	tenure   *etcd.KV // likewise
	rev      int64    // as of
	left     int64    // the last event that made it shorter since
	most     int64    // no more than so many are left of front; 0 is not known
}

// A verdict is what a view means under a rule.
type verdict struct {
	in    bool        // nothing in front excludes the contender
	look  bool        // the view does not suffice
	watch etcd.KeySet // otherwise: where the next change that matters shows
	one   bool        // watch is a single contender
	err   error       // the line is used in a way that the rule can't live with
}

// judge applies the rule to what is known.
func (l *Line) judge(r Rule, v *view) verdict {
	var d verdict
	switch r.Kind {
	case Reader:
		d = l.judgeReader(r, v)
	case Permits:
		return l.judgePermits(r, v)
	default:
		d = l.judgeExclusive(r, v)
	}
	if d.in && v.settings != nil {
		d.err = l.compare(r.settings(), *v.settings)
		d.in = d.err == nil
	}
	return d
}

// judgeExclusive: everybody in front excludes. Only the last of them is
// watched, so that a departure wakes one.
func (l *Line) judgeExclusive(r Rule, v *view) verdict {
	n := len(v.front)
	if n == 0 {
		return verdict{in: v.whole, look: !v.whole}
	}
	return l.behind(r, &v.front[n-1])
}

// judgeReader: whoever is no reader excludes. The last of those is watched, so
// that all readers behind it wake together.
func (l *Line) judgeReader(r Rule, v *view) verdict {
	for i := len(v.front) - 1; i >= 0; i-- {
		if m := &v.front[i]; m.Kind != Reader {
			return l.behind(r, m)
		}
	}
	return verdict{in: v.whole, look: !v.whole}
}

// behind is the verdict of whoever waits for m alone.
func (l *Line) behind(r Rule, m *Member) verdict {
	switch mine := r.quarantine(); {
	case m.Kind == Permits:
		return verdict{err: l.mismatch(m.Key, "a semaphore's permits stand there")}
	case !m.Foreign && m.Kind != Reader && m.Quarantine != mine:
		return verdict{err: l.mismatch(m.Key, fmt.Sprintf("its quarantine is %.32q, not %q", m.Quarantine, mine))}
	}
	return verdict{watch: etcd.Key(m.Key), one: true}
}

// quarantine is how a contender tells its quarantine.
func (r Rule) quarantine() string {
	if r.Quarantine == 0 {
		return ""
	}
	return r.Quarantine.String()
}

// judgePermits: those in front exclude if their permits leave too few. First
// come, first served: a contender is in if and only if the permits of all in
// front and its own are within the limit, so those who are in are always the
// oldest. The first who is not in watches the whole line; the others watch the
// one in front of them, who tells, by a change of its key, when it gets in. Not
// where that one came before the limit was last changed: it may be in under the
// greater one, and has nothing more to tell.
func (l *Line) judgePermits(r Rule, v *view) verdict {
	if !v.whole {
		return verdict{look: true}
	}
	limit, err := l.limitOf(v.settings)
	if err != nil {
		return verdict{err: err}
	}
	if r.Weight > limit {
		return verdict{err: l.mismatch(l.settingsKey(), fmt.Sprintf("%d permits can never be had: the limit is now %d", r.Weight, limit))}
	}
	var taken int64
	for i := range v.front {
		m := &v.front[i]
		if m.Kind != Permits || m.Weight == 0 {
			return verdict{err: l.mismatch(m.Key, "it is not a semaphore's")}
		}
		if mutant.LockPasses && m.Held == nil && taken+m.Weight > limit {
			continue
		}
		if taken += m.Weight; taken < 0 || taken > limit {
			last := &v.front[len(v.front)-1]
			if last.Token < v.settings.ModRevision {
				return verdict{watch: l.set()}
			}
			return verdict{watch: etcd.Key(last.Key), one: true}
		}
	}
	if r.Weight <= limit-taken { // their sum may be beyond all numbers
		return verdict{in: true}
	}
	return verdict{watch: l.set()}
}

func (l *Line) mismatch(key, why string) error {
	return fmt.Errorf("%w: key %.200q: %s", ErrMismatch, key, why)
}

// apply takes an event into the view. It reports whether the view then still
// tells all that the rule asks for.
func (l *Line) apply(r Rule, v *view, watched verdict, ev etcd.Event) bool {
	if ev.KV.ModRevision <= v.rev {
		return true // known already
	}
	if ev.KV.Key == l.settingsKey() {
		v.settings = nil
		if ev.Type == etcd.EventPut {
			kv := ev.KV
			v.settings = &kv
		}
		return true
	}
	for i := range v.front {
		if v.front[i].Key != ev.KV.Key {
			continue
		}
		m := r.member(ev.KV)
		switch {
		case ev.Type == etcd.EventDelete || m.Token != v.front[i].Token:
			v.front = append(v.front[:i:i], v.front[i+1:]...)
			v.left = ev.KV.ModRevision
			v.whole = v.whole || mutant.LockAnyDeparture
		case m.Released && Rule{Kind: m.Kind}.exclusive():
			// It held, excluding all others, so all in front of it were gone,
			// and it goes in this very commit.
			v.front = append([]Member(nil), v.front[i+1:]...)
			v.whole, v.left = true, ev.KV.ModRevision
		default:
			v.front[i] = m
		}
		// Of the line's other changes this contender saw nothing if it watched
		// only the one in front, and for permits they matter.
		return !(r.Kind == Permits && watched.one)
	}
	return true
}
