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
	// identityTimeout bounds the question; it is asked only to word an error.
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
	id := ep.identity.Load()
	if id == nil || time.Since(id.asked) > identityTTL {
		id = &identity{asked: time.Now()}
		reply, err := ep.pool.Do(ctx, &h1.Request{Method: "GET", Path: "/version", Timeout: identityTimeout})
		if err != nil && ctx.Err() != nil {
			return
		}
		if err == nil && reply.Status == 200 {
			id.version = parseVersion(reply.Body)
		}
		reply.Release()
		ep.identity.Store(id)
	}
	switch {
	case id.version == "":
	case versionBelow(id.version, minMajor, minMinor):
		f.err.Kind = ErrTooOld
		f.err.Message = "etcd " + id.version + " is too old: 3.4 or newer is needed"
	default:
		f.err.Kind = ErrUnsupported
		f.err.Message = "etcd " + id.version + " does not know this call"
	}
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
