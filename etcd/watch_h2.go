package etcd

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// An h2Link is one HTTP/2 request whose body goes on while its answer comes.
type h2Link struct {
	c      *Client
	ep     *endpoint
	nc     net.Conn
	client *http.Client
	header http.Header
	ctx    context.Context
	cancel context.CancelFunc

	body   *io.PipeReader
	out    *io.PipeWriter
	reply  io.ReadCloser // of recv's goroutine
	frames *jsonwire.Frames
	in     inflow
}

// newHTTP2Link speaks HTTP/2 over nc, which it takes over. Nothing is sent yet.
func newHTTP2Link(c *Client, ep *endpoint, nc net.Conn, token string) *h2Link {
	tr := overConn(nc)
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetHTTP2(true)
	l := &h2Link{
		c: c, ep: ep, nc: nc,
		client: &http.Client{
			Transport:     tr,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		header: http.Header{"Content-Type": {"application/json"}, "Grpc-Metadata-Hasleader": {"true"}},
	}
	if token != "" {
		l.header.Set("Authorization", token)
	}
	l.ctx, l.cancel = context.WithCancel(c.life)
	l.body, l.out = io.Pipe()
	return l
}

func (l *h2Link) transport() watchTransport { return viaHTTP2 }
func (l *h2Link) duplex() bool              { return true }
func (l *h2Link) flow() *inflow             { return &l.in }

func (l *h2Link) send(_ context.Context, m *outMessage) error {
	_, err := l.out.Write(append(m.body, '\n'))
	return err
}

func (l *h2Link) recv() (inMessage, error) {
	if l.frames == nil {
		if err := l.begin(); err != nil {
			return inMessage{}, err
		}
	}
	l.in.next()
	doc, err := l.frames.Next()
	l.in.whole()
	return inMessage{doc: doc}, err
}

// begin makes the request. The answer begins when the server has something to
// say, which is when it has got a message.
func (l *h2Link) begin() error {
	req, err := http.NewRequestWithContext(l.ctx, http.MethodPost, l.ep.url+"/v3/watch", l.body)
	if err != nil {
		return err
	}
	req.Header = l.header
	resp, err := l.client.Do(req)
	if err != nil {
		return unwrapAll(err)
	}
	l.reply = resp.Body
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return classifyReply(h1.Reply{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: text}, &request{}).err
	}
	l.frames = jsonwire.NewFrames(l.in.reader(resp.Body), int(l.c.cfg.MaxReplyBytes))
	return nil
}

// check sends another request over the same connection; any answer will do.
func (l *h2Link) check(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.ep.url+"/version", nil)
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return unwrapAll(err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	return errors.Join(err, resp.Body.Close())
}

func (l *h2Link) close() {
	l.cancel()
	l.out.CloseWithError(net.ErrClosed)
	l.body.CloseWithError(net.ErrClosed)
	l.nc.Close()
}
