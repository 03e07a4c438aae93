package embedded_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/quorate/quorate/embedded"
)

func TestMistakesInTheConfigurationAreRefused(t *testing.T) {
	for name, config := range map[string]embedded.Config{
		"two members":           {Members: 2},
		"fewer ports":           {Members: 3, ClientPorts: []int{0}},
		"a port twice":          {Members: 3, ClientPorts: []int{1, 2, 1}},
		"a port out of range":   {ClientPorts: []int{65536}},
		"a negative quota":      {QuotaBytes: -1},
		"a hasty election":      {ElectionTimeout: time.Millisecond},
		"a long election":       {ElectionTimeout: time.Minute},
		"two compactions":       {Compaction: embedded.Compaction{Off: true, KeepRevisions: 1}},
		"a negative compaction": {Compaction: embedded.Compaction{Keep: -1}},
		"missing certificates":  {TLS: &embedded.TLS{CertFile: "no", KeyFile: "no"}},
	} {
		if c, err := embedded.Start(t.Context(), config); err == nil {
			stop(t, c)
			t.Errorf("%s: started", name)
		}
	}
}

func TestSettingsReachEtcd(t *testing.T) {
	var got embed.Config
	seen := func(_ int, cfg *embed.Config) { got = *cfg } //nolint:govet // read only
	config := embedded.Config{
		Compaction:      embedded.Compaction{KeepRevisions: 7},
		QuotaBytes:      64 << 20,
		SnapshotCount:   123,
		ElectionTimeout: 500 * time.Millisecond,
		Modify:          seen,
	}
	start(t, config)
	if got.AutoCompactionMode != "revision" || got.AutoCompactionRetention != "7" {
		t.Errorf("compaction is %s %s", got.AutoCompactionMode, got.AutoCompactionRetention)
	}
	if got.QuotaBackendBytes != 64<<20 || got.SnapshotCount != 123 {
		t.Errorf("quota %d, snapshot count %d", got.QuotaBackendBytes, got.SnapshotCount)
	}
	if got.TickMs != 50 || got.ElectionMs != 500 {
		t.Errorf("heartbeat %d, election %d", got.TickMs, got.ElectionMs)
	}
	start(t, embedded.Config{Modify: seen})
	if got.AutoCompactionMode != "periodic" || got.AutoCompactionRetention != "5m0s" {
		t.Errorf("compaction is %s %s by default", got.AutoCompactionMode, got.AutoCompactionRetention)
	}
	start(t, embedded.Config{Modify: seen, Compaction: embedded.Compaction{Off: true}})
	if got.AutoCompactionRetention != "0" {
		t.Errorf("compaction is %s %s when off", got.AutoCompactionMode, got.AutoCompactionRetention)
	}
}

func TestTheLoggerHearsOfEveryMember(t *testing.T) {
	out := &lockedBuffer{}
	logger := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	stop(t, start(t, embedded.Config{Logger: logger}))
	log := out.String()
	if !strings.Contains(log, "member=m1") || !strings.Contains(log, "msg=\"starting an etcd server\"") ||
		!strings.Contains(log, "name=m1") {
		t.Errorf("log is\n%s", log)
	}
	if strings.Contains(log, "level=DEBUG") {
		t.Error("the handler's level was not asked")
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
