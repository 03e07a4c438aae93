package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

const snapshotPath = "/v3/maintenance/snapshot"

func TestASnapshotIsWrittenAsItCameWithItsChecksumBehindIt(t *testing.T) {
	for _, version := range []string{"3.5.35", "3.7.3"} {
		inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
			for i := range 50 {
				_, err := c.Put(t.Context(), fmt.Sprint("k", i), bytes.Repeat([]byte("v"), 3000))
				require.NoError(t, err)
			}
			var out bytes.Buffer
			res, err := c.Snapshot(t.Context(), &out)
			require.NoError(t, err)
			require.Equal(t, int64(out.Len()), res.Bytes)
			data, sum := out.Bytes()[:out.Len()-sha256.Size], out.Bytes()[out.Len()-sha256.Size:]
			require.Greater(t, len(data), 100_000, "several pieces")
			require.Equal(t, sha256.Sum256(data), res.SHA256)
			require.Equal(t, res.SHA256[:], sum)
			if version == "3.7.3" {
				require.Equal(t, "3.7.0", res.Version)
			}
		}, etcdtest.WithVersion(version))
	}
}

// stream makes the reply of a server that sends data in pieces of a given size.
func stream(data []byte, piece int, sum []byte) string {
	var b strings.Builder
	for rest := data; len(rest) > 0; {
		n := min(piece, len(rest))
		left := ""
		if len(rest) > n {
			left = fmt.Sprintf(`"remaining_bytes":"%d",`, len(rest)-n)
		}
		fmt.Fprintf(&b, `{"result":{%s"blob":"%s"}}`+"\n", left, base64.StdEncoding.EncodeToString(rest[:n]))
		rest = rest[n:]
	}
	fmt.Fprintf(&b, `{"result":{"blob":"%s"}}`+"\n", base64.StdEncoding.EncodeToString(sum))
	return b.String()
}

func TestAShortOrCorruptSnapshotIsAnErrorThatSaysSo(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	sum := sha256.Sum256(data)
	whole := stream(data, 1000, sum[:])
	frames := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	require.Len(t, frames, 17)
	without := func(i int) string {
		return strings.Join(append(append([]string{}, frames[:i]...), frames[i+1:]...), "")
	}
	flipped := bytes.Clone(data)
	flipped[7777] ^= 1
	for name, test := range map[string]struct{ body, want string }{
		"no end":             {strings.Join(frames[:9], ""), "short: it ended after 9000 bytes of 16000"},
		"no checksum":        {without(16), "checksum is missing after 16000 bytes"},
		"half a checksum":    {stream(data, 1000, sum[:16]), "checksum is missing"},
		"a hole":             {without(5), "piece of the snapshot is missing after 5000 bytes of 16000"},
		"a flipped bit":      {stream(flipped, 1000, sum[:]), "corrupt"},
		"another checksum":   {stream(data, 1000, flipped[:32]), "corrupt"},
		"too long":           {whole + frames[0], "longer than the 16000 bytes"},
		"cut in a piece":     {whole[:5000], "broke off after"},
		"no JSON":            {"<html>no</html>", "broke off after 0 bytes"},
		"nothing":            {"", "short: it ended after 0 bytes"},
		"an empty object":    {"{}", "no piece of a snapshot"},
		"an empty snapshot":  {`{"result":{}}`, "empty snapshot"},
		"negative":           {`{"result":{"remaining_bytes":"-5","blob":"AAAA"}}`, "no piece of a snapshot"},
		"base64 that is not": {`{"result":{"blob":"AAA"}}`, "base64"},
		"a giant piece":      {`{"result":{"blob":"` + strings.Repeat("A", snapshotFrame) + `"}}`, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
				srv.Inject(etcdtest.Fault{Path: snapshotPath, Reply: etcdtest.TextReply(200, "application/json", test.body)})
				res, err := c.Snapshot(t.Context(), io.Discard)
				require.ErrorIs(t, err, ErrBadReply)
				require.ErrorContains(t, err, test.want)
				require.ErrorContains(t, err, "snapshot at http://member1")
				require.Nil(t, res)
			})
		})
	}
}

func TestAConnectionCutInASnapshotIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		_, err := c.Put(t.Context(), "k", bytes.Repeat([]byte("v"), 100_000))
		require.NoError(t, err)
		srv.Inject(etcdtest.Fault{Path: snapshotPath, CutReply: 60_000})
		var out bytes.Buffer
		_, err = c.Snapshot(t.Context(), &out)
		require.ErrorIs(t, err, ErrBadReply)
		require.ErrorContains(t, err, "broke off after 32768 bytes of ")
		require.Equal(t, 32768, out.Len())
		require.Equal(t, 1, srv.Requests()[snapshotPath], "what is written cannot be taken back")
	}, etcdtest.WithMembers(3))
}

func TestASnapshotIsTakenFromAnotherMemberIfOneGivesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Kill(0)
		srv.Pause(1)
		defer srv.Resume(1)
		begun := time.Now()
		res, err := c.Snapshot(t.Context(), io.Discard)
		require.NoError(t, err)
		require.Positive(t, res.Bytes)
		require.Equal(t, snapshotStall, time.Since(begun))

		srv.Kill(2)
		_, err = c.Snapshot(t.Context(), io.Discard)
		require.ErrorIs(t, err, ErrUnavailable)
	}, etcdtest.WithMembers(3))
}

func TestASnapshotThatStandsStillEndsAndOneThatIsSlowDoesNot(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		_, err := c.Put(t.Context(), "k", bytes.Repeat([]byte("v"), 200_000))
		require.NoError(t, err)
		slow := writerFunc(func(p []byte) (int, error) { time.Sleep(time.Minute); return len(p), nil })
		begun := time.Now()
		_, err = c.Snapshot(t.Context(), slow)
		require.NoError(t, err)
		require.Greater(t, time.Since(begun), 5*time.Minute, "the writer takes its time")

		data := bytes.Repeat([]byte("x"), 100)
		reply := &etcdtest.Reply{Body: func(w io.Writer) error {
			_, err := io.WriteString(w, stream(data, 10, nil)[:300])
			if f, ok := w.(interface{ Flush() }); ok {
				f.Flush()
			}
			time.Sleep(time.Hour)
			return err
		}}
		srv.Inject(etcdtest.Fault{Path: snapshotPath, Reply: reply})
		begun = time.Now()
		_, err = c.Snapshot(t.Context(), io.Discard)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "stood still for 30s")
		require.Equal(t, snapshotStall, time.Since(begun))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.Snapshot(ctx, io.Discard)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAWriterThatFailsEndsTheSnapshotWithItsError(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		full := errors.New("disk full")
		_, err := c.Snapshot(t.Context(), writerFunc(func([]byte) (int, error) { return 3, full }))
		require.ErrorIs(t, err, full)
		require.ErrorContains(t, err, "write the snapshot after 3 bytes")
		require.NotErrorIs(t, err, ErrBadReply)
		_, err = c.Snapshot(t.Context(), writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }))
		require.ErrorIs(t, err, io.ErrShortWrite)
		_, err = c.Snapshot(t.Context(), nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.Equal(t, 2, srv.Requests()[snapshotPath])
	}, etcdtest.WithMembers(2))
}

func TestASnapshotThatIsRefusedIsTheServersError(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: snapshotPath, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		_, err := c.Snapshot(t.Context(), io.Discard)
		require.ErrorIs(t, err, ErrPermissionDenied)
	}, etcdtest.WithVersion("3.5.35"))
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, _ *Client) {
		c := newTestClient(t, srv, func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "pw", true })
		_, err := c.Put(t.Context(), "k", nil)
		require.NoError(t, err)
		srv.ExpireTokens()
		_, err = c.Snapshot(t.Context(), io.Discard)
		require.NoError(t, err, "with a new token")
	}, etcdtest.WithAuth("pw"))
}

func TestMemoryDoesNotGrowWithTheSnapshot(t *testing.T) {
	srv := etcdtest.Start(t)
	c := newTestClient(t, srv)
	const pieces, size = 2000, 32 << 10 // 64 MB
	blob := make([]byte, size)
	for i := range blob {
		blob[i] = byte(rand.IntN(256))
	}
	text := base64.StdEncoding.EncodeToString(blob)
	sum := sha256.New()
	for range pieces {
		sum.Write(blob)
	}
	srv.Inject(etcdtest.Fault{Path: snapshotPath, Reply: &etcdtest.Reply{Body: func(w io.Writer) error {
		for i := range pieces {
			if _, err := fmt.Fprintf(w, `{"result":{"remaining_bytes":"%d","blob":"%s"}}`+"\n", (pieces-1-i)*size, text); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, `{"result":{"blob":"%s"}}`+"\n", base64.StdEncoding.EncodeToString(sum.Sum(nil)))
		return err
	}}})
	var peak, base runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	written := 0
	res, err := c.Snapshot(t.Context(), writerFunc(func(p []byte) (int, error) {
		if written += len(p); written%(size*500) == 0 {
			runtime.GC()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > peak.HeapAlloc {
				peak = now
			}
		}
		return len(p), nil
	}))
	require.NoError(t, err)
	require.Equal(t, int64(pieces*size+sha256.Size), res.Bytes)
	require.NotZero(t, peak.HeapAlloc)
	require.Less(t, int64(peak.HeapAlloc)-int64(base.HeapAlloc), int64(8<<20))
}
