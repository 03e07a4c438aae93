package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// Config says what to start. The zero value is one member with temporary data
// on a free port.
type Config struct {
	// Members is 1 or 3; 0 means 1. A directory keeps the number it was
	// created with.
	Members int

	// Dir holds the data and is created where it is missing. Empty means a
	// temporary directory that Stop removes. A directory serves one Cluster
	// at a time.
	Dir string

	// ClientPorts are the members' client ports on 127.0.0.1, one a member;
	// 0, or no slice at all, means a free port.
	ClientPorts []int

	// TLS, where set, makes the client endpoints https.
	TLS *TLS

	// Logger receives what the members log, with the attribute "member". Its
	// handler's level decides how much that is. Nil means silence.
	Logger *slog.Logger

	// Compaction says how much history is kept; the zero value keeps
	// DefaultHistory.
	Compaction Compaction

	// QuotaBytes bounds each member's database; 0 means etcd's default of
	// 2 GiB. Beyond it etcd refuses writes.
	QuotaBytes int64

	// SnapshotCount is the number of commits between two raft snapshots; 0
	// means etcd's default.
	SnapshotCount uint64

	// ElectionTimeout is raft's; heartbeats are sent ten times, at least five
	// times, in it. 0 means 250 ms for a single member, which only ever waits
	// for itself, and etcd's default of 1 s for three. Mind that etcd derives
	// the shortest lease from it: 1 s with 250 ms, 2 s with 1 s.
	ElectionTimeout time.Duration

	// UnsafeNoFsync lets members answer before their log is on disk. Faster,
	// and fit for tests alone: a crash of the machine loses writes.
	UnsafeNoFsync bool

	// Modify, where set, has the last word on each member's etcd
	// configuration, for settings not named here. Addresses, directories and
	// the cluster's membership are not its to change.
	Modify func(member int, cfg *embed.Config)
}

// TLS names the PEM files of the client endpoints.
type TLS struct {
	CertFile string
	KeyFile  string
	// ClientCAFile, where set, makes the members demand a client certificate
	// signed by one of its authorities.
	ClientCAFile string
}

// DefaultHistory is how long superseded revisions are kept where Compaction
// says nothing else.
const DefaultHistory = 5 * time.Minute

// Compaction says how much of the past etcd keeps. A watch or a read at a
// revision older than that ends with "compacted". At most one field is set.
type Compaction struct {
	// Keep removes what was superseded longer ago than this. etcd looks at
	// least once an hour, and as often as Keep where it is less.
	Keep time.Duration
	// KeepRevisions keeps this many revisions; etcd looks every 5 minutes.
	KeepRevisions int64
	// Off keeps everything, as etcd does by default. Reads slow with what was
	// deleted, and the database grows until its quota.
	Off bool
}

func (c Config) validate() error {
	switch {
	case c.Members != 1 && c.Members != 3:
		return fmt.Errorf("members must be 1 or 3, not %d", c.Members)
	case len(c.ClientPorts) != 0 && len(c.ClientPorts) != c.Members:
		return fmt.Errorf("%d client ports for %d members", len(c.ClientPorts), c.Members)
	case c.QuotaBytes < 0:
		return fmt.Errorf("quota of %d bytes is negative", c.QuotaBytes)
	case c.ElectionTimeout != 0 && c.ElectionTimeout < 10*time.Millisecond:
		return fmt.Errorf("election timeout %v is below 10ms", c.ElectionTimeout)
	case c.ElectionTimeout > 50*time.Second:
		return fmt.Errorf("election timeout %v is above 50s", c.ElectionTimeout)
	}
	for i, p := range c.ClientPorts {
		if p < 0 || p > 65535 {
			return fmt.Errorf("client port %d of member %d is out of range", p, i)
		}
		for _, q := range c.ClientPorts[:i] {
			if p == q && p != 0 {
				return fmt.Errorf("client port %d is given twice", p)
			}
		}
	}
	if err := c.Compaction.validate(); err != nil {
		return err
	}
	return c.TLS.validate()
}

func (c Compaction) validate() error {
	set := 0
	for _, on := range []bool{c.Keep != 0, c.KeepRevisions != 0, c.Off} {
		if on {
			set++
		}
	}
	switch {
	case set > 1:
		return errors.New("compaction takes one of Keep, KeepRevisions and Off")
	case c.Keep < 0 || c.KeepRevisions < 0:
		return errors.New("compaction cannot keep less than nothing")
	}
	return nil
}

// apply writes the policy in etcd's terms: a mode and a retention.
func (c Compaction) apply(cfg *embed.Config) {
	switch {
	case c.Off:
		cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, "0"
	case c.KeepRevisions > 0:
		cfg.AutoCompactionMode = embed.CompactorModeRevision
		cfg.AutoCompactionRetention = strconv.FormatInt(c.KeepRevisions, 10)
	default:
		keep := c.Keep
		if keep == 0 {
			keep = DefaultHistory
		}
		cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, keep.String()
	}
}

// validate loads the key pair once, because etcd would notice a bad one only
// after it had started.
func (t *TLS) validate() error {
	if t == nil {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	return nil
}

// election returns the tick and the election timeout in etcd's milliseconds.
func (c Config) election() (tick, election uint) {
	d := c.ElectionTimeout
	if d == 0 {
		d = time.Second
		if c.Members == 1 {
			d = 250 * time.Millisecond
		}
	}
	election = uint(d / time.Millisecond)
	tick = election / 10
	if d <= 250*time.Millisecond {
		tick = election / 5 // fewer wake-ups of an idle process
	}
	return max(tick, 1), election
}
