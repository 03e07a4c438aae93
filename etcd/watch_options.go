package etcd

// A WatchOption changes what a watch delivers, and how. WithPrev is one, too:
// it adds to each event what the key held before.
type WatchOption interface{ applyWatch(*watchOptions) }

type watchOptions struct {
	start           int64
	prev            bool
	noPut, noDelete bool
	bulky           bool
	progress        bool
}

type watchOption func(*watchOptions)

func (f watchOption) applyWatch(o *watchOptions) { f(o) }

func (PrevOption) applyWatch(o *watchOptions) { o.prev = true }

// FromRevision starts the watch with the events of revision rev, which may be
// past or yet to come. Zero means live: the events after Watcher.Created.
//
// The server serves the past only every 100 ms. Who wants to know of the next
// change of a state does better to create a live watch and read the state then.
func FromRevision(rev int64) WatchOption { return watchOption(func(o *watchOptions) { o.start = rev }) }

// PutsOnly leaves deletions out; the server does not send them.
func PutsOnly() WatchOption { return watchOption(func(o *watchOptions) { o.noDelete = true }) }

// DeletesOnly leaves puts out; the server does not send them.
func DeletesOnly() WatchOption { return watchOption(func(o *watchOptions) { o.noPut = true }) }

// Bulky gives the watch a connection of its own. It is for watches that are
// expected to deliver so much that others would have to wait behind them.
func Bulky() WatchOption { return watchOption(func(o *watchOptions) { o.bulky = true }) }

// WithProgress makes Next also return when the watch has come further without
// an event: Events.Events is then empty and Events.Revision says how far. It
// comes every few seconds as long as the cluster's revision grows; where a
// proxy leaves only plain requests, and with servers before 3.5.8, every ten
// minutes or as the server is set.
func WithProgress() WatchOption { return watchOption(func(o *watchOptions) { o.progress = true }) }
