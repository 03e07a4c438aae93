package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

const (
	layoutFile = "quorate-cluster.json"
	lockFile   = "quorate-cluster.lock"
)

// layout is what a directory remembers of its cluster. A cluster's peer
// addresses are fixed when it is created, so a later start needs the same.
type layout struct {
	Token     string `json:"token"`
	PeerPorts []int  `json:"peer_ports"`
}

// store is a cluster's directory, held by one process at a time.
type store struct {
	dir       string
	temporary bool
	lock      *fileutil.LockedFile
}

// openStore creates the directory where needed and takes its lock.
func openStore(dir string) (*store, error) {
	s := &store{dir: dir}
	if dir == "" {
		tmp, err := os.MkdirTemp("", "quorate-etcd-")
		if err != nil {
			return nil, fmt.Errorf("temporary directory: %w", err)
		}
		s.dir, s.temporary = tmp, true
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory %s: %w", dir, err)
	}
	lock, err := fileutil.TryLockFile(filepath.Join(s.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if s.temporary {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
		if errors.Is(err, fileutil.ErrLocked) {
			return nil, fmt.Errorf("directory %s: %w", dir, ErrInUse)
		}
		return nil, fmt.Errorf("directory %s is not writable: %w", s.dir, err)
	}
	s.lock = lock
	return s, nil
}

// load returns the layout of an existing cluster, or nil for a fresh directory.
func (s *store) load(members int) (*layout, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, layoutFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(s.dir, "member")); err == nil {
			return nil, fmt.Errorf("directory %s: %w: it is an etcd member's own data directory", s.dir, ErrForeignDir)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", s.dir, err)
	}
	var l layout
	if err := json.Unmarshal(b, &l); err != nil || l.Token == "" || len(l.PeerPorts) == 0 {
		return nil, fmt.Errorf("directory %s: %w: %s is not readable", s.dir, ErrForeignDir, layoutFile)
	}
	if len(l.PeerPorts) != members {
		return nil, fmt.Errorf("directory %s: %w: it holds a cluster of %d, %d asked for",
			s.dir, ErrForeignDir, len(l.PeerPorts), members)
	}
	return &l, nil
}

// save writes the layout so that a crash leaves the old one or the new one.
func (s *store) save(l *layout) error {
	b, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("directory %s: %w", s.dir, err)
	}
	name := filepath.Join(s.dir, layoutFile)
	if err := os.WriteFile(name+".tmp", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("directory %s is not writable: %w", s.dir, err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("directory %s is not writable: %w", s.dir, err)
	}
	return nil
}

func (s *store) memberDir(i int) string { return filepath.Join(s.dir, memberName(i)) }

// discard removes what a failed first start left of its members.
func (s *store) discard(members int) error {
	errs := []error{os.RemoveAll(filepath.Join(s.dir, layoutFile))}
	for i := range members {
		errs = append(errs, os.RemoveAll(s.memberDir(i)))
	}
	return errors.Join(errs...)
}

// close gives the directory back, and removes a temporary one.
func (s *store) close() error {
	err := s.lock.Close()
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if err != nil {
		return fmt.Errorf("directory %s: %w", s.dir, err)
	}
	return nil
}

func newLayout(peerPorts []int) *layout {
	return &layout{Token: "quorate-" + rand.Text(), PeerPorts: peerPorts}
}

func memberName(i int) string { return "m" + strconv.Itoa(i+1) }
