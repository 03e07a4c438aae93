package etcd

// The messages of a client on a watch stream. Ids are chosen by the client,
// from 1 on, so that what belongs to which watch is known before the answer.

// appendWatchCreate writes the request for a watch from revision start on; 0
// is live. tell asks for a sign of progress when nothing has happened for long.
func appendWatchCreate(b []byte, ns string, w *Watcher, id, start int64, tell bool) []byte {
	outer := object(b)
	outer.name("create_request")
	f := object(outer.b)
	f.keySet(ns, w.set)
	f.int("start_revision", start)
	f.flag("progress_notify", tell)
	switch {
	case w.opts.noPut:
		f.name("filters")
		f.b = append(f.b, `["NOPUT"]`...)
	case w.opts.noDelete:
		f.name("filters")
		f.b = append(f.b, `["NODELETE"]`...)
	}
	f.flag("prev_kv", w.opts.prev)
	f.int("watch_id", id)
	outer.b = f.end()
	return outer.end()
}

func appendWatchCancel(b []byte, id int64) []byte {
	outer := object(b)
	outer.name("cancel_request")
	f := object(outer.b)
	f.int("watch_id", id)
	outer.b = f.end()
	return outer.end()
}

func appendWatchProgress(b []byte) []byte { return append(b, `{"progress_request":{}}`...) }
