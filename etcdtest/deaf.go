package etcdtest

import "net/http"

// deafWriter takes a reply that nobody will get.
type deafWriter struct{ header http.Header }

func (w deafWriter) Header() http.Header         { return w.header }
func (w deafWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w deafWriter) WriteHeader(int)             {}
func (w deafWriter) Flush()                      {}

// deaf returns a copy of the call whose reply is thrown away.
func (c *call) deaf() *call {
	d := *c
	d.w = deafWriter{make(http.Header)}
	return &d
}
