package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/quorate/quorate/internal/h1"
	"github.com/quorate/quorate/internal/jsonwire"
)

// A SnapshotResult describes a snapshot that is complete and checked.
type SnapshotResult struct {
	Bytes   int64             // written, the checksum at the end included
	SHA256  [sha256.Size]byte // of the database, as it stands at the end of what was written
	Version string            // of the storage; empty before etcd 3.6
	Header  Header            // when it was made, as far as the server tells
}

const (
	// snapshotStall is how long a snapshot waits for the next piece.
	snapshotStall = 30 * time.Second
	// snapshotFrame bounds a piece; servers send 32 KiB.
	snapshotFrame = 4 << 20
)

// Snapshot writes the database of one member to w, as etcdctl would save it:
// the database file and, behind it, its SHA-256, which etcdutl checks when it
// restores. The database is as large as Status says; memory use does not depend
// on it. No time bounds it but ctx, and that each piece must come within 30 s.
//
// The snapshot is good only if the error is nil: then everything came and its
// checksum is right. A stream that ends early or was changed on the way is an
// ErrBadReply that says which. Another member is tried only as long as nothing
// has been written.
//
// It is the state of the member that is asked, and what the cluster has
// committed a moment ago may be missing.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) (*SnapshotResult, error) {
	r := &request{op: "snapshot", path: "/v3/maintenance/snapshot", body: []byte("{}"), mode: modeRead, timeout: snapshotStall, anyMember: true}
	if w == nil {
		return nil, invalid(r.op, "", errors.New("no writer"))
	}
	var first *Error
	for i := range c.eps.list {
		ep := c.eps.list[(int(c.eps.cur.Load())+i)%len(c.eps.list)]
		s := &snapshot{w: w, sum: sha256.New()}
		f := c.snapshot(ctx, ep, r, s)
		if f == nil {
			return &s.result, nil
		}
		if first == nil {
			first = f.err
		}
		if ctx.Err() != nil || f.verdict == verdictFinal || s.result.Bytes > 0 {
			return nil, f.err
		}
	}
	return nil, first
}

// snapshot reads one member's stream.
func (c *Client) snapshot(ctx context.Context, ep *endpoint, r *request, s *snapshot) *failure {
	begin := time.Now()
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := c.openStream(sctx, ep, r, func(body io.Reader) *failure {
		stall := time.AfterFunc(snapshotStall, func() { cancel(errStalled) })
		defer stall.Stop()
		err := s.read(body, stall)
		var refused *streamError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused):
			return classifyError(refused.serverError, r)
		case ctx.Err() != nil:
			return &failure{verdict: verdictFinal, err: &Error{Err: ctxErr(ctx)}}
		case c.life.Err() != nil:
			return &failure{verdict: verdictFinal, err: &Error{Kind: ErrClosed, Err: err}}
		case errors.Is(context.Cause(sctx), errStalled):
			return &failure{verdict: verdictUnknown, err: &Error{Kind: ErrUnavailable, Err: fmt.Errorf("%w for %v after %d bytes", errStalled, snapshotStall, s.result.Bytes)}}
		}
		var we *writeError
		if errors.As(err, &we) {
			return &failure{verdict: verdictFinal, err: &Error{Err: we.err}}
		}
		return &failure{verdict: verdictUnknown, err: &Error{Kind: ErrBadReply, Err: err}}
	})
	if f != nil {
		f.err.Op, f.err.Endpoint = r.op, ep.url
	}
	if h := c.cfg.Hooks.Request; h != nil {
		info := RequestInfo{Op: r.op, Endpoint: ep.url, Attempt: 1, Duration: time.Since(begin), Sent: len(r.body), Received: int(s.result.Bytes)}
		if f != nil {
			info.Err = f.err
		}
		h(info)
	}
	return f
}

var errStalled = errors.New("the stream stood still")

// A writeError is the caller's writer's, not the stream's.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// openStream sends r and hands the body of the reply to read, once the reply
// says that it is what was asked for.
func (c *Client) openStream(ctx context.Context, ep *endpoint, r *request, read func(io.Reader) *failure) *failure {
	for attempt := 1; ; attempt++ {
		stream, token, f := c.dialStream(ctx, ep, r)
		if f != nil {
			return f
		}
		if stream.Status == 200 {
			if f = read(stream); f != nil {
				c.scrub(f, r, token)
			}
			_ = stream.Close()
			return f
		}
		body, err := io.ReadAll(io.LimitReader(stream, 64<<10))
		_ = stream.Close()
		if err != nil {
			return &failure{verdict: verdictUnknown, err: &Error{Kind: ErrUnavailable, Err: err}}
		}
		reply := h1.Reply{Status: stream.Status, ContentType: stream.ContentType, Location: stream.Location, Body: body}
		if attempt <= 2 && (reply.Status == 400 || reply.Status == 401) && staleToken(reply) && c.tokens.drop(token) {
			continue
		}
		f = classifyReply(reply, r)
		c.identify(ctx, ep, f)
		c.scrub(f, r, token)
		return f
	}
}

// dialStream sends r and returns when the head of the reply is there.
func (c *Client) dialStream(ctx context.Context, ep *endpoint, r *request) (*h1.Stream, string, *failure) {
	token, header, f := c.authorize(ctx, ep, r, r.timeout)
	if f != nil {
		return nil, "", f
	}
	stream, err := ep.pool.DoStream(ctx, &h1.Request{Path: r.path, Header: header, Body: r.body, Timeout: r.timeout})
	if err != nil {
		e := &Error{Kind: ErrUnavailable, Err: err}
		if ctx.Err() != nil {
			e.Kind, e.Err = nil, ctxErr(ctx)
		} else if c.life.Err() != nil {
			e.Kind = ErrClosed
		}
		return nil, "", &failure{verdict: verdictUnknown, err: e}
	}
	return stream, token, nil
}

// A snapshot is one on its way: pieces of the database, of which each says how
// much is still to come, and then a piece that is the checksum.
type snapshot struct {
	w      io.Writer
	sum    hash.Hash
	result SnapshotResult
	total  int64 // bytes of the database; 0 until the first piece
	tail   []byte
}

// read reads the stream to its end and checks it.
func (s *snapshot) read(body io.Reader, stall *time.Timer) error {
	frames := jsonwire.NewFrames(body, snapshotFrame)
	var rd jsonwire.Reader
	var blob []byte
	for {
		stall.Reset(snapshotStall)
		doc, err := frames.Next()
		stall.Stop() // writing may take as long as it likes
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return s.check()
		}
		if err != nil {
			return fmt.Errorf("the snapshot broke off after %d bytes%s: %w", s.result.Bytes, s.of(), err)
		}
		rd.Reset(doc)
		var left int64
		if blob, left, err = s.decode(&rd, blob[:0]); err != nil {
			return err
		}
		if err := s.add(blob, left); err != nil {
			return err
		}
	}
}

// decode reads one piece.
func (s *snapshot) decode(rd *jsonwire.Reader, blob []byte) (_ []byte, left int64, err error) {
	answered := false
	for name := range rd.Object {
		switch string(name) {
		case "error":
			if e := readError(rd, 1); e.ok {
				return blob, 0, &streamError{e}
			}
		case "result":
			answered = true
			d := decoder{rd, 0}
			for field := range d.Object {
				switch string(field) {
				case "header":
					d.header(&s.result.Header)
				case "remaining_bytes":
					left = d.Int64()
				case "blob":
					blob = d.AppendBytes(blob)
				case "version":
					s.result.Version = d.String()
				}
			}
		}
	}
	if err := rd.End(); err != nil {
		return blob, 0, err
	}
	if !answered || left < 0 {
		return blob, 0, errShape("no piece of a snapshot")
	}
	return blob, left, nil
}

// add takes one piece in.
func (s *snapshot) add(blob []byte, left int64) error {
	seen := s.result.Bytes + int64(len(blob))
	if s.total == 0 {
		s.total = seen + left
		if s.total == 0 {
			return errShape("an empty snapshot")
		}
	}
	if seen <= s.total && seen+left != s.total {
		return fmt.Errorf("a piece of the snapshot is missing after %d bytes%s", s.result.Bytes, s.of())
	}
	if over := seen - s.total; over > sha256.Size {
		return fmt.Errorf("the snapshot is longer than the %d bytes it should have", s.total)
	} else if over > 0 {
		s.tail = append(s.tail, blob[max(int64(len(blob))-over, 0):]...)
		s.sum.Write(blob[:max(int64(len(blob))-over, 0)])
	} else {
		s.sum.Write(blob)
	}
	n, err := s.w.Write(blob)
	s.result.Bytes += int64(n)
	if err == nil && n < len(blob) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &writeError{fmt.Errorf("write the snapshot after %d bytes: %w", s.result.Bytes, err)}
	}
	return nil
}

// check judges what came when the stream has ended.
func (s *snapshot) check() error {
	switch {
	case s.result.Bytes < s.total || s.total == 0:
		return fmt.Errorf("the snapshot is short: it ended after %d bytes%s", s.result.Bytes, s.of())
	case len(s.tail) < sha256.Size:
		return fmt.Errorf("the snapshot is short: its checksum is missing after %d bytes", s.total)
	}
	s.sum.Sum(s.result.SHA256[:0])
	if !bytes.Equal(s.result.SHA256[:], s.tail) {
		return fmt.Errorf("the snapshot is corrupt: the %d bytes that came have another checksum than the server says", s.total)
	}
	return nil
}

// of says of how many bytes, once that is known.
func (s *snapshot) of() string {
	if s.total == 0 {
		return ""
	}
	return " of " + itoa(s.total)
}
