package h1

import (
	"bytes"
	"fmt"
)

// What begins a reply is known by its first bytes, so a server of another
// protocol, most of which speak first, is not waited for until the time is over.

// protocol is what every reply begins with.
const protocol = "HTTP/"

// speaksHTTP says whether b may be the beginning of a reply.
func speaksHTTP(b []byte) bool {
	n := min(len(b), len(protocol))
	return string(b[:n]) == protocol[:n]
}

// greetings is how servers of other protocols begin. Where shown is set the line
// is a greeting, the same for everybody; else it may be about the request.
var greetings = []struct {
	begins, means string
	shown         bool
}{
	{"SSH-", "SSH", true},
	{"220 ", "SMTP or FTP", true},
	{"220-", "SMTP or FTP", true},
	{"+OK ", "POP3", true},
	{"* OK ", "IMAP", true},
	{"-ERR ", "Redis", false},
	{"\x15\x03", "TLS: perhaps it has to be https", false},
	{"PRI * HTTP/2", "HTTP/2", false},
}

// notHTTP describes what began with b instead of a reply. It is ErrNotHTTP only on
// a connection on which nothing has come before and with a greeting that is known:
// elsewhere it may be a part of an earlier reply, and nothing of it is shown.
func notHTTP(b []byte, fresh bool) error {
	for _, g := range greetings {
		switch {
		case !fresh || !bytes.HasPrefix(b, []byte(g.begins)):
		case g.shown:
			return fmt.Errorf("%w: the server speaks %s: %s", ErrNotHTTP, g.means, firstLine(b))
		default:
			return fmt.Errorf("%w: the server speaks %s", ErrNotHTTP, g.means)
		}
	}
	if fresh && len(b) > 4 && b[0] == 0 && b[1] == 0 && b[3] == 4 && b[4] == 0 { // settings
		return fmt.Errorf("%w: the server speaks HTTP/2, as a port for gRPC alone does", ErrNotHTTP)
	}
	return malformed("no HTTP/1 status line")
}

// firstLine shows the first line of b, or the beginning of it, printable.
func firstLine(b []byte) string {
	const most = 64
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	more := ""
	if len(line) > most {
		line, more = line[:most], "..."
	}
	return fmt.Sprintf("%+q%s", line, more)
}
