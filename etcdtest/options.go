package etcdtest

import (
	"crypto/tls"
	"strconv"
	"strings"
	"time"
)

// options is what New was told. Defaults are those of etcd itself.
type options struct {
	version          string
	members          int
	maxTxnOps        int
	maxRequestBytes  int
	quota            int64
	rootPassword     string
	auth             bool
	tokenTTL         time.Duration
	progressInterval time.Duration
	requestTimeout   time.Duration
	promptCatchUp    bool
	latency          time.Duration
	to, from         time.Duration // latency of lines
	tls              *tls.Config
	selfSigned       bool
}

func defaults() options {
	return options{
		version:          "3.7.3",
		members:          1,
		maxTxnOps:        128,
		maxRequestBytes:  1536 << 10,
		quota:            2 << 30,
		tokenTTL:         5 * time.Minute,
		progressInterval: 10 * time.Minute,
		requestTimeout:   7 * time.Second,
	}
}

// Option changes what New makes.
type Option func(*options)

// WithVersion makes the server answer like that etcd version, for example
// "3.5.35". What differs between 3.5, 3.6 and 3.7 follows from its second
// number; a version that is not understood answers like 3.7. Of 3.4 and of the
// first of 3.5 only their watches differ: they tell of progress before the
// events, and 3.4 takes no token over a WebSocket and names no other reason for
// refusing a watch than the want of a permission.
func WithVersion(version string) Option { return func(o *options) { o.version = version } }

// WithMembers makes a cluster of n members, at least one. They answer at
// Server.URLs and share one state.
func WithMembers(n int) Option { return func(o *options) { o.members = max(1, n) } }

// WithMaxTxnOps sets how many operations a txn may hold (default 128).
func WithMaxTxnOps(n int) Option { return func(o *options) { o.maxTxnOps = n } }

// WithMaxRequestBytes sets how large a request may be (default 1.5 MiB).
func WithMaxRequestBytes(n int) Option { return func(o *options) { o.maxRequestBytes = n } }

// WithQuota sets how many bytes the store may take before it raises the alarm
// NOSPACE and takes deletes only (default 2 GiB).
func WithQuota(bytes int64) Option { return func(o *options) { o.quota = bytes } }

// WithAuth turns authentication on, with a user root of that password.
func WithAuth(rootPassword string) Option {
	return func(o *options) { o.auth, o.rootPassword = true, rootPassword }
}

// WithTokenTTL sets how long a token lives after its last use (default 5
// minutes).
func WithTokenTTL(d time.Duration) Option { return func(o *options) { o.tokenTTL = d } }

// WithProgressInterval sets how often a watch that asked for progress_notify
// is told of progress (default 10 minutes).
func WithProgressInterval(d time.Duration) Option {
	return func(o *options) { o.progressInterval = d }
}

// WithRequestTimeout sets how long a member without quorum holds a request
// before it gives up (default 7 seconds).
func WithRequestTimeout(d time.Duration) Option { return func(o *options) { o.requestTimeout = d } }

// WithPromptCatchUp serves a watch that starts in the past at once. By default
// it waits for the next round of catching up, up to 100 ms, as in etcd.
func WithPromptCatchUp() Option { return func(o *options) { o.promptCatchUp = true } }

// WithLatency lets each request be on its way for up to d before it is carried
// out, and its reply as well; how long is drawn at random each time. By default
// neither takes any time, so that in a synctest bubble the clock stands still
// while calls are made, which hides whatever goes wrong only when it does not.
// Streams are opened with no delay, and their messages take no time; for those
// there is WithLineLatency.
func WithLatency(d time.Duration) Option { return func(o *options) { o.latency = max(0, d) } }

// WithLineLatency lets whatever is written to a connection made with Dial be on
// its way for up to d, in either direction and in order: requests and replies,
// but also handshakes and the messages of watches. How long is drawn at random
// each time. By default nothing takes any time.
func WithLineLatency(d time.Duration) Option { return WithLineLatencies(d, d) }

// WithLineLatencies is WithLineLatency with one latency for what clients write,
// on its way to the server, and another for what is on its way from it.
func WithLineLatencies(to, from time.Duration) Option {
	return func(o *options) { o.to, o.from = max(0, to), max(0, from) }
}

// WithTLS makes every address of the server speak TLS, and HTTP/2 with clients
// that offer it. With nil it makes a certificate of its own, which clients
// trust with Server.ClientTLS.
func WithTLS(cfg *tls.Config) Option {
	return func(o *options) { o.tls, o.selfSigned = cfg, cfg == nil }
}

// parseVersion returns the 5 and the 35 of "3.5.35". What it does not
// understand counts as the newest.
func parseVersion(version string) (minor, patch int) {
	parts := strings.Split(version, ".")
	if len(parts) != 3 || parts[0] != "3" {
		return 7, 0
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 7, 0
	}
	patch, _ = strconv.Atoi(parts[2]) // "0-rc.1" counts as 0
	return minor, patch
}
