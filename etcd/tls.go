package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
)

// TLSConfig configures https endpoints. The zero TLSConfig trusts the system's
// certificate authorities and presents no certificate. TLS 1.2 is the least.
type TLSConfig struct {
	// CAFile is a PEM file of the authorities to trust instead of the system's.
	CAFile string
	// CertFile and KeyFile are the PEM files of the client's certificate and
	// key. They are read again when they have changed.
	CertFile, KeyFile string
	// ServerName is the name to verify instead of the endpoint's host.
	ServerName string
	// InsecureSkipVerify accepts any certificate. Only for tests.
	InsecureSkipVerify bool
	// Base is where to start from; the fields above override it. May be nil.
	Base *tls.Config
}

func (t TLSConfig) configured() bool { return t != TLSConfig{} }

// build makes the configuration for connections. Files are read now, so that
// a wrong path is an error of New.
func (t TLSConfig) build() (*tls.Config, error) {
	cfg := &tls.Config{}
	if t.Base != nil {
		cfg = t.Base.Clone()
	}
	if cfg.MinVersion < tls.VersionTLS12 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if t.ServerName != "" {
		cfg.ServerName = t.ServerName
	}
	if t.InsecureSkipVerify {
		cfg.InsecureSkipVerify = true
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CAFile: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CAFile %s holds no PEM certificate", t.CAFile)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("CertFile and KeyFile go together")
	}
	if t.CertFile != "" {
		r := &certReloader{certFile: t.CertFile, keyFile: t.KeyFile}
		if _, err := r.get(); err != nil {
			return nil, err
		}
		cfg.Certificates = nil
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.get() }
	}
	return cfg, nil
}

// A certReloader gives the certificate as the files have it now.
type certReloader struct {
	certFile, keyFile string

	mu   sync.Mutex
	cert *tls.Certificate
	seen [2]os.FileInfo
}

// get reads the files again if either has changed. While they do not fit
// together, as in the middle of a renewal, the last good certificate serves.
func (r *certReloader) get() (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var now [2]os.FileInfo
	var err error
	for i, f := range []string{r.certFile, r.keyFile} {
		if now[i], err = os.Stat(f); err != nil {
			if r.cert != nil {
				return r.cert, nil
			}
			return nil, fmt.Errorf("client certificate: %w", err)
		}
	}
	if r.cert != nil && sameFile(now[0], r.seen[0]) && sameFile(now[1], r.seen[1]) {
		return r.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(r.certFile, r.keyFile)
	if err != nil {
		if r.cert != nil {
			return r.cert, nil
		}
		return nil, fmt.Errorf("client certificate %s with key %s: %w", r.certFile, r.keyFile, err)
	}
	r.cert, r.seen = &cert, now
	return r.cert, nil
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
