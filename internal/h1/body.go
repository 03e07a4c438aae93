package h1

import (
	"bytes"
	"io"
)

// body reads a reply's body off its connection. It has no other state than
// its own, so that a unary reply and a stream share it.
type body struct {
	c    *conn
	kind bodyKind
	left int64 // of the whole body, or of the current chunk

	inChunks bool // the first chunk's length has been read
	overhead int  // bytes of chunk framing beyond what their data excuses
	done     bool
}

type bodyKind uint8

const (
	noBody     bodyKind = iota
	byLength            // Content-Length
	byChunks            // Transfer-Encoding: chunked
	untilClose          // everything until the connection ends
)

const (
	maxChunkLine = 4 << 10
	maxOverhead  = 16 << 10
	maxTrailers  = 4 << 10
)

func newBody(c *conn, h *head) body {
	b := body{c: c}
	switch {
	case h.bodiless() || h.length == 0:
		b.done = true
	case h.chunked:
		b.kind = byChunks
	case h.length > 0:
		b.kind, b.left = byLength, h.length
	default:
		b.kind = untilClose
	}
	return b
}

// Read implements io.Reader. A body that ends too early is
// io.ErrUnexpectedEOF.
func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.kind == byChunks && b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
		if b.done {
			return 0, io.EOF
		}
	}
	if b.kind != untilClose && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.c.read(p)
	switch {
	case b.kind != untilClose:
		b.left -= int64(n)
		if n > 0 {
			err = nil // it comes again, if there is more to read
		}
		b.done = b.kind == byLength && b.left == 0
		return n, unexpected(err)
	case err == io.EOF:
		b.done = true
	}
	return n, err
}

// nextChunk reads the framing before the next chunk, or the trailers.
func (b *body) nextChunk() error {
	if b.inChunks {
		// The line end behind the data of the chunk before.
		line, err := b.c.line(2)
		if err != nil {
			return err
		}
		if len(line) > 0 {
			return malformed("chunk longer than its length")
		}
	}
	b.inChunks = true
	line, err := b.c.line(maxChunkLine)
	if err != nil {
		return err
	}
	size, err := chunkSize(line)
	if err != nil {
		return err
	}
	// Tiny chunks with long extensions would make us read far more than the
	// bound on the body allows.
	b.overhead = max(b.overhead+len(line)+2-16-2*int(min(size, maxOverhead)), 0)
	if b.overhead > maxOverhead {
		return malformed("chunks with too much framing")
	}
	if b.left = size; size > 0 {
		return nil
	}
	return b.trailers()
}

// chunkSize parses the line before a chunk.
func chunkSize(line []byte) (int64, error) {
	// Some servers pad the line, but nothing may come before an extension.
	digits, ext, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte{';'})
	if len(digits) == 0 || len(digits) > 15 || !isFieldValue(ext) {
		return 0, malformed("chunk without a length")
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, malformed("chunk without a length")
		}
		n = n<<4 | int64(c)
	}
	return n, nil
}

// trailers reads the fields behind the last chunk and drops them.
func (b *body) trailers() error {
	for room := maxTrailers; ; {
		line, err := b.c.line(room)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			b.done = true
			return nil
		}
		if _, _, err := parseField(line); err != nil {
			return err
		}
		room -= len(line) + 2
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
