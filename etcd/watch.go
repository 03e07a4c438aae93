package etcd

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Watch watches the keys of set. It returns when the server has said that the
// watch is there: every event after the revision Watcher.Created is then
// delivered, once and in order, across lost connections and changes of member.
// So create the watch first, read the state afterwards, and nothing is missed.
//
// ctx bounds the creation and nothing else; without a bound of its own the
// creation is given up after Config.RetryTimeout and one attempt. The watch lives until Close,
// an error of its own (see Watcher.Next), or the end of the client.
//
// All live watches of a client share one connection, and a watch costs neither
// a goroutine nor a timer. The connection is HTTP/2 where TLS offers it, else a
// WebSocket; where a proxy refuses both, every watch is a request of its own,
// and better is tried again every ten minutes. A watch that has to catch up
// uses another connection until it is live, so that it does not hold up the
// others. The connection and the member behind it are checked every two
// seconds, which is all the traffic of a client that only waits; a member that
// hangs or is cut off from the others is left after five seconds at most. With
// authentication the connection is replaced before its token ends (a JWT) or
// every four minutes.
//
// What has arrived waits in memory for Next, within Config.WatchBufferBytes for
// all watches and an eighth of it for one. A watch that exceeds that is
// cancelled at the server and goes on from where it was when Next is called: a
// slow consumer slows itself only, and may find that events were compacted.
func (c *Client) Watch(ctx context.Context, set KeySet, opts ...WatchOption) (*Watcher, error) {
	w := &Watcher{hub: c.watches, set: set}
	for _, o := range opts {
		if o != nil {
			o.applyWatch(&w.opts)
		}
	}
	if err := w.check(); err != nil {
		return nil, invalid("watch", set.String(), err)
	}
	if err := ctx.Err(); err != nil {
		return nil, w.fail(&Error{Err: ctxErr(ctx)})
	}
	if err := c.watches.start(w); err != nil {
		return nil, err
	}
	if err := w.awaitCreated(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// A Watcher is a watch. Its methods are safe for concurrent use; of several
// goroutines in Next each event goes to one.
type Watcher struct {
	hub  *watchHub
	set  KeySet
	opts watchOptions

	// All below is guarded by hub.mu.

	created int64       // revision of the header of the first "created"; 0 before
	at      *attachment // where its events come from; nil while there is nowhere
	moving  *attachment // where they are to come from next, beside at
	got     position    // what has been taken in
	taken   position    // what Next has handed out
	buf     []Event     // what lies between the two
	size    int64       // bytes of buf
	mark    int64       // newest progress, if WithProgress asked for it
	told    int64       // the Events.Revision handed out last
	full    bool        // cancelled because buf was full; Next puts it back
	parked  bool        // it was, so it has to catch up
	stale   uint8       // refusals in a row because of the token
	err     error       // why it has ended
	changed chan struct{}
}

// Events is what Next gives: events in the order they happened.
type Events struct {
	// Revision says how far the watch has come: every event up to it,
	// inclusive, has been delivered by the time these events have been.
	Revision int64
	// Events may be empty where WithProgress was given. The events of one
	// revision stand together, but for a revision too large to be held at once.
	Events []Event
}

// Created is the revision of the cluster when the watch was created: every
// later event is delivered, and with FromRevision also earlier ones.
func (w *Watcher) Created() int64 {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	return w.created
}

// KeySet is what is watched.
func (w *Watcher) KeySet() KeySet { return w.set }

// Next waits for events and gives those there are. When ctx ends it returns
// ctx's error and nothing is lost: call it again.
//
// Every other error is the end of the watch, comes after all events that could
// be delivered, and repeats. It answers errors.Is for
//   - ErrCompacted, and errors.As for *CompactedError: events were compacted
//     before they could be delivered;
//   - ErrClusterChanged: the cluster was wiped, restored or replaced;
//   - ErrPermissionDenied, ErrUnauthenticated: the user may not watch that;
//   - ErrWatchClosed, ErrClosed: Close was called on the watch or the client.
//
// That no member can be reached is not an error: the watch goes on where it
// was as soon as there is one.
func (w *Watcher) Next(ctx context.Context) (Events, error) {
	for {
		if ctx.Err() != nil {
			return Events{}, w.fail(&Error{Err: ctxErr(ctx)})
		}
		w.hub.mu.Lock()
		ev, ok := w.take()
		err, changed := w.err, w.wait()
		w.hub.mu.Unlock()
		switch {
		case ok:
			return ev, nil
		case err != nil:
			return Events{}, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// All is Next as an iterator over single events. It ends after it has yielded
// an error, ctx's among them; it does not close the watch. Events of a batch
// that the loop did not come to are dropped: a loop that is left early should
// leave the watch, too.
func (w *Watcher) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			batch, err := w.Next(ctx)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, ev := range batch.Events {
				if !yield(ev, nil) {
					return
				}
			}
		}
	}
}

// Close ends the watch and cancels it at the server, without waiting for that.
// Next then gives ErrWatchClosed. It is idempotent.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.drop()
	w.hub.end(w, w.fail(&Error{Kind: ErrWatchClosed}))
}

// fail completes an error of the watch.
func (w *Watcher) fail(e *Error) *Error {
	e.Op, e.On = "watch", w.set.String()
	return e
}

// check finds what is wrong before anything is sent.
func (w *Watcher) check() error {
	switch {
	case w.opts.start < 0:
		return errors.New("the revision to start from is negative")
	case w.opts.noPut && w.opts.noDelete:
		return errors.New("PutsOnly and DeletesOnly leave nothing to watch")
	}
	return w.set.check()
}

// awaitCreated waits until the server has created the watch, or never will.
func (w *Watcher) awaitCreated(ctx context.Context) error {
	limit := w.hub.c.cfg.RetryTimeout
	if limit < 0 {
		limit = 0 // one round over the endpoints, which ends by itself
	}
	limit += w.hub.c.cfg.AttemptTimeout
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		w.hub.mu.Lock()
		created, err, changed := w.created != 0, w.err, w.wait()
		var last error
		if w.at != nil {
			last = w.at.conn.openErr
		}
		w.hub.mu.Unlock()
		switch {
		case created:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return w.fail(&Error{Err: errors.Join(ctxErr(ctx), last)})
		case <-timer.C:
			return w.fail(&Error{Kind: ErrUnavailable, Message: "not created within " + limit.String(), Err: last})
		}
	}
}

// wait gives a channel that is closed at the next change of w.
func (w *Watcher) wait() chan struct{} {
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// wake tells those who wait that w has changed.
func (w *Watcher) wake() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
