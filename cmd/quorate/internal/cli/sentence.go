package cli

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/etcd"
)

// codeOfEtcd gives the exit code of an error of the client.
func codeOfEtcd(err error) int {
	switch {
	case errors.Is(err, etcd.ErrInvalid):
		return exitUsage
	case errors.Is(err, etcd.ErrNotEtcd):
		return exitFailed
	case errors.Is(err, etcd.ErrUnauthenticated), errors.Is(err, etcd.ErrPermissionDenied):
		return exitDenied
	case errors.Is(err, etcd.ErrUnavailable), errors.Is(err, etcd.ErrNoLeader), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailed
}

// sentence says in one line what went wrong.
func (a *app) sentence(err error) string {
	var e *exitError
	if errors.As(err, &e) {
		return oneLine(e.err.Error())
	}
	if s := child.InterruptedBy(err); s != nil {
		return "ended by " + child.Name(s)
	}
	switch {
	case errors.Is(err, etcd.ErrNotEtcd):
		return "what answers at " + a.where(err) + " is no etcd: it " + reason(foreign(err))
	case errors.Is(err, etcd.ErrBadReply):
		return "what answers at " + a.where(err) + " does not answer as etcd does: " + strings.TrimPrefix(reason(err), "jsonwire: ") + unknown(err)
	case errors.Is(err, etcd.ErrTooOld):
		return "the server at " + a.where(err) + " cannot be used: " + reason(err)
	case errors.Is(err, etcd.ErrNoLeader):
		return "the etcd at " + a.where(err) + " has no leader, so too few of its members are reachable"
	case errors.Is(err, etcd.ErrUnavailable) && aboutTLS(reason(err)):
		return "no connection with " + a.where(err) + " (" + reason(err) + "); see --cacert, --cert and --key"
	case errors.Is(err, etcd.ErrUnauthenticated) && strings.HasSuffix(err.Error(), "user name is empty"):
		return "the etcd at " + a.where(err) + " asks for a user: --user name:password, or " + envName("user")
	case errors.Is(err, etcd.ErrUnauthenticated) && strings.Contains(err.Error(), "invalid user ID or password"):
		return "the etcd at " + a.where(err) + " refuses user " + strconv.Quote(a.userName()) + ": wrong name or password"
	case errors.Is(err, etcd.ErrUnavailable):
		return "no etcd answers at " + a.where(err) + " (" + reason(err) + "); 'quorate dev' starts one to try things on, --endpoints names another"
	case errors.Is(err, context.DeadlineExceeded) && errors.As(err, new(*etcd.Error)): // not some wait of ours
		return "etcd at " + a.where(err) + " did not answer in time (--command-timeout " + a.flags.commandTimeout.String() + ")"
	}
	return plain(err)
}

// aboutTLS reports whether what went wrong is that the two ends do not trust
// each other.
func aboutTLS(reason string) bool {
	return strings.HasPrefix(reason, "x509: ") || strings.HasPrefix(reason, "tls: ")
}

// userName is the user without the password.
func (a *app) userName() string {
	if a.flags.password != "" {
		return a.flags.user
	}
	name, _, _ := strings.Cut(a.flags.user, ":")
	return name
}

// where names the endpoints that were tried.
func (a *app) where(err error) string {
	if len(a.flags.endpoints) > 1 {
		return strings.Join(a.flags.endpoints, ", ")
	}
	var e *etcd.Error
	if errors.As(err, &e) && e.Endpoint != "" {
		return e.Endpoint
	}
	return strings.Join(a.flags.endpoints, ", ")
}

// reason gives the innermost cause that says something.
func reason(err error) string {
	for {
		switch x := err.(type) {
		case interface{ Unwrap() []error }:
			if errs := x.Unwrap(); len(errs) > 0 {
				err = errs[len(errs)-1]
				continue
			}
		case interface{ Unwrap() error }:
			if inner := x.Unwrap(); inner != nil {
				err = inner
				continue
			}
			if e, ok := x.(*etcd.Error); ok && e.Message != "" {
				return oneLine(e.Message)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "the connection was closed without an answer; perhaps it has to be https, or http"
		}
		return oneLine(err.Error())
	}
}

// foreign finds the error of the client that says how somebody else's server
// answered.
func foreign(err error) error {
	var e *etcd.Error
	for errors.As(err, &e) {
		if e.Kind == etcd.ErrNotEtcd {
			return &etcd.Error{Message: e.Message}
		}
		err = e.Err
	}
	return err
}

// unknown adds that a write may have been applied.
func unknown(err error) string {
	if errors.Is(err, etcd.ErrUnknownOutcome) {
		return " (" + etcd.ErrUnknownOutcome.Error() + ")"
	}
	return ""
}

// plain shows an error without the names of the packages it came from.
func plain(err error) string {
	s := err.Error()
	for _, name := range []string{"etcd: ", "lock: ", "election: ", "sequence: ", "queue: "} {
		s = strings.TrimPrefix(s, name)
	}
	return oneLine(strings.ReplaceAll(s, ": etcd: ", ": "))
}

func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
