package etcd

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// An identity is what an endpoint says it is.
type identity struct {
	asked   time.Time
	version string // of an etcd, such as "3.3.27"; empty if it is none
}

const (
	// identityTTL is how long an endpoint is not asked again what it is: what
	// runs there may be replaced, but not between two calls.
	identityTTL = 10 * time.Second
	// identityTimeout bounds the question.
	identityTimeout = 2 * time.Second
	// minMajor, minMinor: the oldest etcd whose gateway speaks under /v3.
	minMajor, minMinor = 3, 4
)

// identify words a failure of the sort that a server gives which does not know
// the call at all: it asks the endpoint's /version, and tells an etcd that is
// too old, or too old for this call, from something that is no etcd.
func (c *Client) identify(ctx context.Context, ep *endpoint, f *failure) {
	if f.verdict != verdictElsewhere || f.err.Kind != ErrNotEtcd {
		return
	}
	switch version := ep.version(ctx); {
	case version == "":
	case versionBelow(version, minMajor, minMinor):
		f.err.Kind = ErrTooOld
		f.err.Message = "etcd " + version + " is too old: 3.4 or newer is needed"
	default:
		f.err.Kind = ErrUnsupported
		f.err.Message = "etcd " + version + " does not know this call"
	}
}

// version gives what the endpoint answers at /version, "" if that is no version
// of an etcd or nothing comes.
func (ep *endpoint) version(ctx context.Context) string {
	if id := ep.identity.Load(); id != nil && time.Since(id.asked) <= identityTTL {
		return id.version
	}
	id := &identity{asked: time.Now()}
	reply, err := ep.pool.Do(ctx, &h1.Request{Method: "GET", Path: "/version", Timeout: identityTimeout})
	if err != nil && ctx.Err() != nil {
		return ""
	}
	if err == nil && reply.Status == 200 {
		id.version = parseVersion(reply.Body)
	}
	reply.Release()
	ep.identity.Store(id)
	return id.version
}

// progressInStep reports whether a server of version v answers a request for
// progress only once all events up to the revision it names are sent. Before
// 3.5.8 the answer overtakes them (etcd's issue 15220), in 3.4 up to 3.4.24,
// of which nobody is left who needs the exception.
func progressInStep(v string) bool {
	if versionBelow(v, 3, 5) {
		return false
	}
	patch, isThreeFive := strings.CutPrefix(v, "3.5.")
	if !isThreeFive {
		_, _, ok := majorMinor(v)
		return ok
	}
	patch, _, _ = strings.Cut(patch, "-")
	n, err := strconv.Atoi(patch)
	return err == nil && n >= 8
}

// parseVersion reads what /version answers, {"etcdserver":"3.6.14",...}; of
// anything else it gives "".
func parseVersion(body []byte) string {
	rd := jsonwire.NewReader(body)
	var v string
	for name := range rd.Object {
		if string(name) == "etcdserver" {
			v = rd.String()
		}
	}
	if rd.End() != nil || len(v) > 32 {
		return ""
	}
	if _, _, ok := majorMinor(v); !ok {
		return ""
	}
	return v
}

// versionBelow reports whether v is older than major.minor.
func versionBelow(v string, major, minor int) bool {
	a, b, ok := majorMinor(v)
	return ok && (a < major || a == major && b < minor)
}

func majorMinor(v string) (major, minor int, ok bool) {
	parts := strings.SplitN(v, ".", 3)
	if len(parts) < 3 {
		return 0, 0, false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return major, minor, err1 == nil && err2 == nil && major >= 0 && minor >= 0
}
