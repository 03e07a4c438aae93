package election

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
	"github.com/quorate/quorate/internal/mutant"
)

// Observe gives the election of that name as it stands, and then every change:
// each leader, each value that a leader proclaims, and each vacancy, in order.
// It needs no session. Of the options only WithPrefix has a meaning.
//
// It goes on until the loop is left or an error is yielded, which is the last:
// that ctx ended, that the user may not read the keys, that the cluster was
// wiped or restored (etcd.ErrClusterChanged), that the client was closed, or
// that etcd could not be reached at the beginning. That it cannot be reached
// later is no error: it goes on where it was as soon as it can be. Where changes
// that it had not seen were compacted meanwhile, or because the loop was too
// slow, it yields a Gap, and then how things stand.
func Observe(ctx context.Context, c *etcd.Client, name string, opts ...Option) iter.Seq2[Event, error] {
	o := collect(opts)
	prefix, err := o.prefix(name)
	if err == nil && c == nil {
		err = line.ErrNoClient
	}
	return observe(ctx, c, o.show(name), prefix, o.useRaw, err)
}

// Observe observes the election; see the function Observe.
func (e *Election) Observe(ctx context.Context) iter.Seq2[Event, error] {
	if err := e.wrong(); err != nil {
		return observe(ctx, nil, e.show(), "", false, err)
	}
	return observe(ctx, e.line.Session().Client(), e.show(), e.line.Prefix(), e.o.useRaw, nil)
}

func observe(ctx context.Context, c *etcd.Client, name, prefix string, raw bool, wrong error) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		o := &observer{c: c, prefix: prefix, raw: raw, yield: yield}
		err := wrong
		if err == nil {
			err = o.run(ctx)
		}
		if err != nil {
			yield(Event{}, failed("observe", name, err))
		}
	}
}

// An observer keeps the line of an election as its events tell it.
type observer struct {
	c      *etcd.Client
	prefix string
	raw    bool
	yield  func(Event, error) bool

	line   map[string]line.Member
	leader *line.Member // the first of the line; nil if there is none
	rev    int64        // as of
	begun  bool         // something was yielded
	gap    bool         // a Gap was yielded, and how things stand was not yet
}

// run returns nil when the loop was left.
func (o *observer) run(ctx context.Context) error {
	var pace line.Pacer
	for {
		before := o.rev
		goOn, err := o.follow(ctx)
		compacted := errors.Is(err, etcd.ErrCompacted)
		switch {
		case !goOn && err == nil:
			return nil
		case ctx.Err() != nil || !o.begun || !compacted && !line.Transient(err):
			return err
		case !o.gap:
			o.gap = true
			if !o.yield(Event{Kind: Gap, Revision: o.rev}, nil) {
				return nil
			}
		}
		if o.rev != before {
			pace = line.Pacer{}
		}
		if err := pace.Wait(ctx, ctx); err != nil {
			return err
		}
	}
}

// follow watches the line from how it stands. It reports false when the loop was
// left.
//
// The watch is live before the line is read, so nothing between the two is
// missed, and it does not start in the past, which the server would serve late.
func (o *observer) follow(ctx context.Context) (bool, error) {
	w, err := o.c.Watch(ctx, etcd.Prefix(o.prefix))
	if err != nil {
		return true, err
	}
	defer w.Close()
	r, err := o.c.Get(ctx, etcd.Prefix(o.prefix))
	if err != nil {
		return true, err
	}
	if !o.present(r) {
		return false, nil
	}
	var held []etcd.Event // of a revision that has not arrived as a whole
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			return true, err
		}
		held = append(held, batch.Events...)
		for len(held) > 0 && held[0].KV.ModRevision <= batch.Revision {
			n := slices.IndexFunc(held, func(ev etcd.Event) bool { return ev.KV.ModRevision != held[0].KV.ModRevision })
			if n < 0 {
				n = len(held)
			}
			if held[0].KV.ModRevision > o.rev && !o.commit(held[:n]) {
				return false, nil
			}
			held = held[n:]
		}
	}
}

// present takes in how things stand.
func (o *observer) present(r *etcd.GetResult) bool {
	o.line = make(map[string]line.Member)
	for _, m := range line.Members(o.prefix, r.KVs, o.raw) {
		o.line[m.Key] = m
	}
	o.rev, o.begun, o.gap = r.Header.Revision, true, false
	o.leader = o.first()
	ev := o.event(o.rev)
	ev.Present = true
	return o.yield(ev, nil)
}

// commit takes in all events of one revision.
func (o *observer) commit(events []etcd.Event) bool {
	o.rev = events[0].KV.ModRevision
	for _, ev := range events {
		if ev.Type == etcd.EventDelete {
			delete(o.line, ev.KV.Key)
			continue
		}
		for _, m := range line.Members(o.prefix, []etcd.KV{ev.KV}, o.raw) {
			o.line[m.Key] = m
		}
	}
	before := o.leader
	o.leader = o.first()
	switch {
	case o.leader == nil && mutant.ObserverHopeful:
		return true
	case !sameLeader(before, o.leader):
		ev := o.event(o.rev)
		ev.Transferred = o.leader != nil && o.leader.Heir != nil && o.leader.Changed == o.rev
		return o.yield(ev, nil)
	case o.leader != nil && (o.leader.Proclaimed != before.Proclaimed ||
		o.leader.Foreign && o.leader.Changed != before.Changed):
		ev := o.event(o.rev)
		ev.Kind = Proclaimed
		return o.yield(ev, nil)
	}
	return true
}

// event tells who leads.
func (o *observer) event(revision int64) Event {
	if o.leader == nil {
		return Event{Kind: Vacant, Revision: revision}
	}
	return Event{Kind: Elected, Revision: revision, Leader: candidate(*o.leader)}
}

// first gives the first of the line.
func (o *observer) first() *line.Member {
	var first *line.Member
	for _, m := range o.line {
		if first == nil || cmp.Or(cmp.Compare(m.Token, first.Token), strings.Compare(m.Key, first.Key)) < 0 {
			first = &m
		}
	}
	return first
}

// sameLeader reports whether two leaders are one. A key that was handed over is
// another's.
func sameLeader(a, b *line.Member) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Key == b.Key && a.Token == b.Token &&
		(a.Heir == b.Heir || a.Heir != nil && b.Heir != nil && *a.Heir == *b.Heir)
}
