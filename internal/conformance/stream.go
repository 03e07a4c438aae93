package conformance

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// stream is a sequence of frames, of a POST's reply or of a WebSocket.
type stream struct {
	frames chan string
	done   chan struct{} // closed after the last frame
	err    error         // read after done
	write  func(text string) error
	ping   func(context.Context) error
}

// pump reads frames until there are no more.
func pump(t testing.TB, stop func(), read func() (string, error)) *stream {
	s := &stream{frames: make(chan string, 1024), done: make(chan struct{})}
	quit := make(chan struct{})
	t.Cleanup(func() {
		close(quit)
		stop()
		<-s.done
	})
	go func() {
		defer close(s.done)
		for {
			f, err := read()
			if f != "" {
				select {
				case s.frames <- f:
				case <-quit:
					return
				}
			}
			if err != nil {
				s.err = err
				return
			}
		}
	}()
	return s
}

// stream opens a streaming POST with a complete body.
func (g *gateway) stream(t testing.TB, path string, body any) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := g.request(ctx, http.MethodPost, path, body)
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(patience, cancel)
	res, err := g.http.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	timer.Stop()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body) //nolint:errcheck // it fails anyway
		t.Fatalf("%s: %d: %s", path, res.StatusCode, b)
	}
	return pump(t, func() { cancel(); res.Body.Close() }, lines(res.Body))
}

// lines reads frames that end with a newline, as all do but the errors before 3.6.
func lines(body io.Reader) func() (string, error) {
	r := bufio.NewReader(body)
	return func() (string, error) {
		line, err := r.ReadString('\n')
		return line, err
	}
}

// webSocket opens a WebSocket on a path.
func (g *gateway) webSocket(t testing.TB, path string, protocols ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.URL, "http")+path, &websocket.DialOptions{
		HTTPClient: g.http, HTTPHeader: g.header, Subprotocols: protocols,
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	ws.SetReadLimit(64 << 20)
	s := pump(t, func() { ws.CloseNow() }, func() (string, error) {
		kind, b, err := ws.Read(context.Background())
		if err == nil && kind != websocket.MessageText {
			err = errors.New("a binary frame")
		}
		return string(b), err
	})
	s.write = func(text string) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return ws.Write(ctx, websocket.MessageText, []byte(text))
	}
	s.ping = ws.Ping
	return s
}

// watchSocket opens a WebSocket for watches.
func (g *gateway) watchSocket(t testing.TB) *stream {
	t.Helper()
	return g.webSocket(t, "/v3/watch")
}

// send writes one message.
func (s *stream) send(t testing.TB, message any) {
	t.Helper()
	text, ok := message.(string)
	if !ok {
		text = marshal(t, message)
	}
	if err := s.write(text); err != nil {
		t.Fatal(err)
	}
}

// raw returns the next frame as it came.
func (s *stream) raw(t testing.TB) string {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f := <-s.frames:
		return f
	case <-s.done:
		select {
		case f := <-s.frames:
			return f
		default:
		}
		t.Fatalf("the stream ended: %v", s.err)
	case <-timer.C:
		t.Fatalf("no frame within %v", patience)
	}
	return ""
}

// next returns the result in the next frame.
func (s *stream) next(t testing.TB) node {
	t.Helper()
	n := s.frame(t)
	if !n.at("result").exists() || len(n.members()) != 1 {
		t.Fatalf("frame is %s", n)
	}
	return n.at("result")
}

func (s *stream) frame(t testing.TB) node {
	t.Helper()
	raw := s.raw(t)
	n, err := parse([]byte(raw))
	if err != nil {
		t.Fatalf("%v in frame %q", err, raw)
	}
	return n
}

// silent checks that nothing comes for a while, and that the stream goes on.
func (s *stream) silent(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case f := <-s.frames:
		t.Errorf("there came %s", f)
	case <-s.done:
		t.Errorf("the stream ended: %v", s.err)
	case <-timer.C:
	}
}

// ends waits for the end of the stream and returns the frames before it.
func (s *stream) ends(t testing.TB) []string {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		t.Fatalf("the stream goes on after %v", patience)
	}
	var out []string
	for {
		select {
		case f := <-s.frames:
			out = append(out, f)
		default:
			return out
		}
	}
}

// watch creates a watch on a WebSocket and checks the answer.
func (s *stream) watch(t testing.TB, create o) node {
	t.Helper()
	s.send(t, o{"create_request": create})
	n := s.next(t)
	if !n.at("created").isTrue() || n.at("canceled").exists() {
		t.Fatalf("instead of created came %s", n)
	}
	return n
}

// events reads frames until n events came; each is checked to be of the watch.
func (s *stream) events(t testing.TB, watch int64, n int) []node {
	t.Helper()
	var out []node
	for len(out) < n {
		f := s.next(t)
		if f.at("watch_id").int64(t) != watch || f.at("events").length() == 0 {
			t.Fatalf("instead of events of watch %d came %s", watch, f)
		}
		for i := range f.at("events").length() {
			out = append(out, f.at("events", i))
		}
	}
	if len(out) > n {
		t.Fatalf("%d events, want %d", len(out), n)
	}
	return out
}
