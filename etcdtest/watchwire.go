package etcdtest

// watchRequest is one message of a client on a watch stream.
type watchRequest struct {
	create   *watchCreate
	cancel   *int64
	progress bool
}

type watchCreate struct {
	span
	start           int64
	id              int64
	noPut, noDelete bool
	prevKV          bool
	fragment        bool
	progress        bool
}

var watchFilters = []string{"NOPUT", "NODELETE"}

func (d *decoder) watchRequest(o map[string]any) *watchRequest {
	r := &watchRequest{}
	n := 0
	for k, v := range o {
		if v == nil {
			continue
		}
		switch k {
		case "create_request", "createRequest":
			r.create = d.watchCreate(v)
		case "cancel_request", "cancelRequest":
			var id int64
			for k, v := range d.object(k, v) {
				if k == "watch_id" || k == "watchId" {
					id = d.int64(k, v)
				}
			}
			r.cancel = &id
		case "progress_request", "progressRequest":
			d.object(k, v)
			r.progress = true
		default:
			continue
		}
		if n++; n > 1 && d.err == nil {
			d.err = &Error{Code: InvalidArgument, Message: "proto: error parsing \"" + k + "\", oneof etcdserverpb.WatchRequest.request_union is already set"}
		}
	}
	return r
}

func (d *decoder) watchCreate(v any) *watchCreate {
	r := &watchCreate{}
	for k, v := range d.object("create_request", v) {
		switch k {
		case "key":
			r.key = d.key(k, v)
		case "range_end", "rangeEnd":
			r.end = d.key(k, v)
		case "start_revision", "startRevision":
			r.start = d.int64(k, v)
		case "progress_notify", "progressNotify":
			r.progress = d.boolean(k, v)
		case "filters":
			for _, f := range d.list(k, v) {
				switch d.enum(k, f, watchFilters) {
				case 0:
					r.noPut = true
				case 1:
					r.noDelete = true
				}
			}
		case "prev_kv", "prevKv":
			r.prevKV = d.boolean(k, v)
		case "watch_id", "watchId":
			r.id = d.int64(k, v)
		case "fragment":
			r.fragment = d.boolean(k, v)
		}
	}
	return r
}

// replies encodes a message, in parts where the watch asked for fragments and
// it is larger than a request may be.
func (m *watchMessage) replies(limit int) []*watchReply {
	rep := &watchReply{
		Header: &m.header, WatchID: m.id, Created: m.created, Canceled: m.canceled,
		CompactRevision: m.compact, CancelReason: m.reason,
	}
	parts := []*watchReply{rep}
	size := 0
	for _, ev := range m.events {
		e := eventReply{KV: newKVReply(ev.KV)}
		if ev.Deleted {
			e.Type = "DELETE"
		}
		if m.prevKV && ev.Prev != nil && ev.Revision >= m.prevFrom {
			e.PrevKV = newKVReply(ev.Prev)
		}
		n := eventSize(e.KV) + eventSize(e.PrevKV)
		if m.fragment && len(rep.Events) > 0 && size+n >= limit {
			rep.Fragment = true
			next := *rep
			next.Events, next.Fragment = nil, false
			rep, size = &next, 0
			parts = append(parts, rep)
		}
		rep.Events = append(rep.Events, e)
		size += n
	}
	return parts
}

func eventSize(kv *kvReply) int {
	if kv == nil {
		return 0
	}
	return len(kv.Key) + len(kv.Value) + 24
}
