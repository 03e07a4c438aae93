package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/cmd/quorate/internal/child"
	"github.com/quorate/quorate/etcd"
)

// statusReport is what "quorate status --json" prints.
type statusReport struct {
	Healthy bool           `json:"healthy"`
	Members []memberStatus `json:"members"`
}

// memberStatus is the state of the member at one endpoint.
type memberStatus struct {
	Endpoint  string   `json:"endpoint"`
	Name      string   `json:"name,omitempty"`
	ID        string   `json:"id,omitempty"`
	Version   string   `json:"version,omitempty"`
	Role      string   `json:"role,omitempty"` // leader, follower or learner
	Leader    string   `json:"leader,omitempty"`
	DBBytes   int64    `json:"db_bytes"`
	DBInUse   int64    `json:"db_in_use_bytes"`
	Quota     int64    `json:"quota_bytes,omitempty"`
	Revision  int64    `json:"revision"`
	RaftTerm  uint64   `json:"raft_term"`
	RaftIndex uint64   `json:"raft_index"`
	Alarms    []string `json:"alarms"`
	LatencyMS float64  `json:"latency_ms"`
	Error     string   `json:"error,omitempty"`
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the state of the etcd members",
		Long: `status asks the member at each endpoint how it is and shows the answers. The
latency is that of one such question, connecting included.

The exit code is 0 if every endpoint answers, there is a leader and no alarm is
raised, 69 if no endpoint answers, and 1 otherwise.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := a.signals.Context(c.Context())
			defer stop()
			return a.status(ctx, c)
		},
	}
}

func (a *app) status(ctx context.Context, c *cobra.Command) error {
	var watch stopwatch
	client, err := a.connect(c, func(cfg *etcd.Config) {
		cfg.RetryTimeout = -1 // what does not answer is to be shown, not waited for
		cfg.Hooks.Request = watch.request
	})
	if err != nil {
		return err
	}
	defer client.Close()
	whole := ctx
	ctx, cancel := context.WithTimeout(whole, a.flags.commandTimeout)
	defer cancel()
	statuses := client.Statuses(ctx)
	if child.InterruptedBy(context.Cause(ctx)) != nil {
		return context.Cause(ctx)
	}
	if err := allFailed(statuses); err != nil {
		return err
	}
	// These two are about the cluster; any member that answers knows them, and
	// one that does not must not keep them from us. A cluster that is in a bad way
	// may not tell, and has its errors shown.
	client, err = a.connect(c, func(cfg *etcd.Config) {
		cfg.RetryTimeout = -1
		cfg.Endpoints = answering(statuses)
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel = context.WithTimeout(whole, a.flags.commandTimeout)
	defer cancel()
	names := map[etcd.MemberID]string{}
	if members, err := client.Members(ctx, false); err == nil {
		for _, m := range members {
			names[m.ID] = m.Name
		}
	}
	alarms := map[etcd.MemberID][]string{}
	if list, err := client.Alarms(ctx); err == nil {
		for _, al := range list {
			alarms[al.Member] = append(alarms[al.Member], al.Type.String())
		}
	}
	report := statusReport{Healthy: true}
	for _, s := range statuses {
		m := describeMember(s, names, alarms)
		if errors.Is(s.Err, context.DeadlineExceeded) {
			m.Error = fmt.Sprintf("no answer within %v", a.flags.commandTimeout)
		}
		m.LatencyMS = milliseconds(watch.of(s.Endpoint))
		report.Members = append(report.Members, m)
		report.Healthy = report.Healthy && m.Error == "" && m.Leader != "" && len(m.Alarms) == 0
	}
	if a.flags.json {
		err = a.printJSON(report)
	} else {
		err = a.table(report.rows())
	}
	if err == nil && !report.Healthy {
		return quit(exitFailed)
	}
	return err
}

// allFailed gives an error if no endpoint answered. The one that says more than
// that nobody is there goes first.
func allFailed(statuses []etcd.EndpointStatus) error {
	var first error
	for _, s := range statuses {
		if s.Err == nil {
			return nil
		}
		if first == nil || errors.Is(first, etcd.ErrUnavailable) {
			first = s.Err
		}
	}
	return first
}

// answering gives the endpoints that answered.
func answering(statuses []etcd.EndpointStatus) (endpoints []string) {
	for _, s := range statuses {
		if s.Err == nil {
			endpoints = append(endpoints, s.Endpoint)
		}
	}
	return endpoints
}

func describeMember(s etcd.EndpointStatus, names map[etcd.MemberID]string, alarms map[etcd.MemberID][]string) memberStatus {
	m := memberStatus{Endpoint: s.Endpoint, Alarms: []string{}}
	if s.Err != nil {
		m.Error = reason(s.Err)
		return m
	}
	st := s.Status
	id := etcd.MemberID(st.Header.MemberID)
	m.ID, m.Name, m.Version = id.String(), names[id], st.Version
	m.DBBytes, m.DBInUse, m.Quota = st.DBSize, st.DBSizeInUse, st.Quota
	m.Revision, m.RaftTerm, m.RaftIndex = st.Header.Revision, st.RaftTerm, st.RaftIndex
	m.Alarms = append(m.Alarms, alarms[id]...)
	switch {
	case st.Learner:
		m.Role = "learner"
	case st.IsLeader():
		m.Role = "leader"
	default:
		m.Role = "follower"
	}
	if st.Leader != 0 {
		m.Leader = st.Leader.String()
	} else {
		m.Error = "no leader"
	}
	return m
}

// rows is the report as a table.
func (r statusReport) rows() [][]string {
	rows := [][]string{{"ENDPOINT", "MEMBER", "ID", "VERSION", "ROLE", "DB SIZE", "IN USE", "TERM", "RAFT INDEX", "REVISION", "ALARMS", "LATENCY"}}
	for _, m := range r.Members {
		if m.ID == "" {
			rows = append(rows, []string{m.Endpoint, "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", m.Error})
			continue
		}
		alarms := "-"
		if len(m.Alarms) > 0 {
			alarms = strings.Join(m.Alarms, ",")
		}
		role := m.Role
		if m.Error != "" {
			role = m.Error
		}
		rows = append(rows, []string{
			m.Endpoint, m.Name, m.ID, m.Version, role, size(m.DBBytes), size(m.DBInUse),
			strconv.FormatUint(m.RaftTerm, 10), strconv.FormatUint(m.RaftIndex, 10), strconv.FormatInt(m.Revision, 10),
			alarms, fmt.Sprintf("%.1f ms", m.LatencyMS),
		})
	}
	return rows
}

// A stopwatch notes how long each endpoint took to give its status.
type stopwatch struct {
	mu   sync.Mutex
	took map[string]time.Duration
}

func (w *stopwatch) request(r etcd.RequestInfo) {
	if r.Op != "status" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.took == nil {
		w.took = map[string]time.Duration{}
	}
	w.took[r.Endpoint] = r.Duration
}

func (w *stopwatch) of(endpoint string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took[endpoint]
}
