package etcd

import (
	"github.com/quorate/quorate/internal/jsonwire"
)

// allWatches is the id of messages that are about the whole stream: signs of
// progress, and refusals of watches that were to be created.
const allWatches = -1

// A watchFrame is one message of a server on a watch stream.
type watchFrame struct {
	header            Header
	id                int64
	created, canceled bool
	fragment          bool // the events of the last revision go on in the next message
	compact           int64
	reason            string
	events            []Event
}

var eventTypes = []string{EventPut: "PUT", EventDelete: "DELETE"}

// parseWatchFrame reads one message into f. The error is a *streamError where
// the message says that the stream has ended. Whatever the message holds, what
// is made of it is no larger than a few times its own length.
func parseWatchFrame(rd *jsonwire.Reader, doc []byte, ns int, f *watchFrame) error {
	rd.Reset(doc)
	*f = watchFrame{}
	d := decoder{rd, ns}
	var (
		found  bool
		ended  *streamError
		broken error
	)
	for name := range rd.Object {
		switch string(name) {
		case "result":
			found = true
			if err := d.watchResult(f); err != nil {
				broken = err
			}
		case "error":
			e := readError(rd, 0)
			e.ok = true
			ended = &streamError{e}
		}
	}
	switch err := rd.End(); {
	case err != nil:
		return err
	case broken != nil:
		return broken
	case ended != nil:
		return ended
	case !found:
		return errShape("a watch message without a result")
	}
	return nil
}

func (d decoder) watchResult(f *watchFrame) (err error) {
	for name := range d.Object {
		switch string(name) {
		case "header":
			d.header(&f.header)
		case "watch_id":
			f.id = d.Int64()
		case "created":
			f.created = d.Bool()
		case "canceled":
			f.canceled = d.Bool()
		case "fragment":
			f.fragment = d.Bool()
		case "compact_revision":
			f.compact = d.Int64()
		case "cancel_reason":
			f.reason = d.String()
			if len(f.reason) > maxMessage {
				f.reason = f.reason[:maxMessage]
			}
		case "events":
			if e := d.events(f); e != nil {
				err = e
			}
		}
	}
	return err
}

// events reads events. One without a revision ends it: a few bytes of
// JSON must not each become an event in memory.
func (d decoder) events(f *watchFrame) error {
	for range d.Array {
		f.events = append(f.events, Event{})
		ev := &f.events[len(f.events)-1]
		for name := range d.Object {
			switch string(name) {
			case "type":
				ev.Type = EventType(small(d.Enum(eventTypes)))
			case "kv":
				d.kv(&ev.KV)
			case "prev_kv":
				ev.Prev = new(KV)
				d.kv(ev.Prev)
			}
		}
		if d.Err() == nil && (ev.KV.ModRevision <= 0 || ev.Type > EventDelete) {
			return errShape("a watch event without a revision or of an unknown type")
		}
	}
	return nil
}
